"""``python -m opsbook`` is ``opsbook``."""

from opsbook.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
