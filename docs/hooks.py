"""Build the site from files in the project's root as well: README.md is its start page.

MkDocs calls these functions. Links are relative to the file that contains them, as on GitHub. Links to files that
are not part of the site are replaced by their text.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_PROJECT = Path(__file__).parents[1]
_PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
_PICTURE = re.compile(
    r'<picture>\s*<source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)">\s*'
    r'<img alt="([^"]*)" src="([^"]+)">\s*</picture>'
)
_LINK = re.compile(r"\[([^\]]*)\]\(([^)#:\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and the examples from the project's root."""
    for source, page in _PAGES.items():
        files.append(File.generated(config, page, content=(_PROJECT / source).read_text(encoding="utf-8")))
    for path in (_PROJECT / "LICENSE", *sorted(_PROJECT.glob("examples/**/*.*py*"))):
        files.append(File.generated(config, path.relative_to(_PROJECT).as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite links to files outside of the folder ``docs``, and links in files from there.

    Pictures with a light and a dark file become two images, of which the theme shows the one that fits the page.
    """
    folder = _PROJECT if page.file.src_uri in _PAGES.values() else Path(config.docs_dir)

    def rewritten(link: re.Match[str]) -> str:
        text, target, anchor = link[1], link[2], link[3] or ""
        path = (folder / target).resolve()
        if not path.exists() or not path.is_relative_to(_PROJECT):
            return link[0]  # MkDocs reports it
        uri = path.relative_to(_PROJECT).as_posix()
        uri = _PAGES.get(uri, uri.removeprefix("docs/"))
        return f"[{text}]({uri}{anchor})" if files.get_file_from_path(uri) else text

    both = _PICTURE.sub(r"![\2](\3#only-light)\n![\2](\1#only-dark)", markdown)
    return _LINK.sub(rewritten, both)
