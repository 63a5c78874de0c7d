"""``%%speak``, ``%%listen``, ``%%say``, ``%talk`` and ``%nbaudio``: parse, one call, return."""
