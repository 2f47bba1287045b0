"""`python -m benchmarks.growth_process ROWS`: a site with so many rows. It measures a round for each line it reads."""

import sys
from contextlib import redirect_stdout

from benchmarks.site import open_site

if __name__ == "__main__":
    with redirect_stdout(sys.stderr):  # what is said here is figures alone
        open_site(["benchmarks.growth"], quick=False)
    from benchmarks.growth import answer

    for rate in answer(int(sys.argv[1])):
        print(rate, flush=True)
