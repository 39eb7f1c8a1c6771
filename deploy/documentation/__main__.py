"""Write every generated page: `python -m deploy.documentation`."""

from deploy.documentation.pages import DOCS, PAGES, whole_page

for name, page in PAGES.items():
    (DOCS / name).write_text(whole_page(page), encoding="utf-8")
    print(f"docs/{name}")
