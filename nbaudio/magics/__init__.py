"""``%%speak``, ``%%listen``, ``%%say`` and ``%nbaudio``: parse, one call, return."""
