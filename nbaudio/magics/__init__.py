"""``%%speak``, ``%%listen`` and ``%nbaudio``: parse, one call, return."""
