"""Build the index: the same as `retriever build`, with the same options."""

import sys

from retriever.cli import main

if __name__ == "__main__":
    sys.argv[1:1] = ["build"]
    main()
