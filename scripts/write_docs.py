"""Write the generated parts of the README: the settings table."""

import re
from pathlib import Path

from retriever.settings import settings_table

README = Path(__file__).parent.parent / "README.md"


def main() -> None:
    """Replace what stands between the markers."""
    text = README.read_text(encoding="utf-8")
    table = f"<!-- settings -->\n\n{settings_table()}\n<!-- /settings -->"
    README.write_text(
        re.sub(r"<!-- settings -->.*?<!-- /settings -->", lambda _: table, text, flags=re.DOTALL), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
