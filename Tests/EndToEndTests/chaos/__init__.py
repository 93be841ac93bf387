"""Real servers under faults, and what their clients saw: `script/chaos` (docs/chaos.md)."""
