"""``python -m hami_admission``."""

from hami_admission.cli import main

main()
