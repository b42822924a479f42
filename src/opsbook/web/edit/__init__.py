"""Editing a book in the browser: forms for the usual changes, any file as text, and drafts.

Belongs here: what is asked and shown. What a draft is, whether it may be published and what that
changes is decided in `opsbook.revisions`; that a form's change touches nothing else of a file is
proven in `opsbook.book.editing`. Approving what was held is `opsbook.web.revisions`.
"""

from fastapi import APIRouter

from opsbook.web.edit.drafts import router as of_drafts
from opsbook.web.edit.files import router as of_files

router = APIRouter(include_in_schema=False)
router.include_router(of_files)
router.include_router(of_drafts)

__all__ = ["router"]
