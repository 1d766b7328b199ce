"""``python -m xinqiao.contracts_tool write | check | release VERSION``"""

from __future__ import annotations

import sys

from xinqiao import contracts_tool


def main(arguments: list[str]) -> int:
    match arguments:
        case ["write"]:
            for path in contracts_tool.write():
                print(f"wrote {path}")
            return 0
        case ["check"]:
            wrong = contracts_tool.check()
            print("\n".join(wrong) if wrong else "contracts: generated files and compatibility hold")
            return 1 if wrong else 0
        case ["release", version]:
            contracts_tool.release(version)
            print(f"contracts/schemas/released now holds {version}")
            return 0
        case _:
            print(__doc__, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
