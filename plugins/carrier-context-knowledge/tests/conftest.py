"""Documents made by hand, so that nothing binary is kept: PDFs, sound ones and such as nobody should meet."""

from __future__ import annotations

import io
import sys
import zlib
from collections.abc import Sequence
from types import ModuleType

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def papers() -> ModuleType:
    """The makers of documents below."""
    return sys.modules[__name__]


def pdf(*objects: bytes, root: int = 1, info: int = 0) -> bytes:
    """A PDF of these objects, which are numbered from 1."""
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        out += b"%010d 00000 n \n" % place
    told = b"/Info %d 0 R " % info if info else b""
    out += b"trailer\n<< /Size %d /Root %d 0 R %s>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, root, told, table)
    return bytes(out)


def stream(data: bytes, *, packed: bool = False, more: bytes = b"") -> bytes:
    """A stream object."""
    if packed:
        data, more = zlib.compress(data, 9), more + b" /Filter /FlateDecode"
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), more, data)


def literal(text: str) -> bytes:
    """A string as PDF writes it."""
    return b"(" + text.encode("latin-1").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)") + b")"


def page_text(lines: Sequence[str]) -> bytes:
    """The content of a page with these lines."""
    shown = b"".join(literal(line) + b" Tj T*\n" for line in lines)
    return b"BT /F1 11 Tf 14 TL 72 760 Td\n" + shown + b"ET"


def booklet(
    pages: Sequence[Sequence[str]], *, outline: Sequence[tuple[str, int]] = (), title: str = "", packed: bool = False
) -> bytes:
    """A PDF with these lines on its pages; ``outline`` are headings with the page that each is on, counted from 1."""
    objects: list[bytes] = [b"", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for lines in pages:
        objects.append(stream(page_text(lines), packed=packed))
        content = len(objects)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % content
        )
        kids.append(len(objects))
    objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(b"%d 0 R" % kid for kid in kids))
    marks = b""
    if outline:
        top = len(objects) + 1
        marks = b" /Outlines %d 0 R" % top
        last = top + len(outline)
        objects.append(b"<< /Type /Outlines /First %d 0 R /Last %d 0 R /Count %d >>" % (top + 1, last, len(outline)))
        for at, (heading, page) in enumerate(outline):
            following = b"/Next %d 0 R " % (top + at + 2) if at + 1 < len(outline) else b""
            before = b"/Prev %d 0 R " % (top + at) if at else b""
            objects.append(
                b"<< /Title %s /Parent %d 0 R %s%s/Dest [%d 0 R /Fit] >>"
                % (literal(heading), top, following, before, kids[page - 1])
            )
    objects[0] = b"<< /Type /Catalog /Pages 2 0 R%s >>" % marks
    if title:
        objects.append(b"<< /Title %s >>" % literal(title))
    return pdf(*objects, info=len(objects) if title else 0)


def one_page(content: bytes, *more: bytes, resources: bytes = b"<< >>") -> bytes:
    """A PDF with one page of this content stream, which is object 4; ``more`` are objects from 5 on."""
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources %s >>" % resources
    return pdf(b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>", page, content, *more)


def bomb(size: int = 400_000_000) -> bytes:
    """A small PDF with a page that is far larger when it is unpacked."""
    packer = zlib.compressobj(9)
    block = b" " * 1_000_000
    packed = b"".join(packer.compress(block) for _ in range(size // len(block))) + packer.flush()
    return one_page(b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed))


def laughs(depth: int = 12, width: int = 10) -> bytes:
    """A PDF with a form that shows forms that show forms: a page that would never end."""
    forms = []
    for level in range(depth):
        number = 6 + level
        inner = b"<< /XObject << /F %d 0 R >> >>" % number if level + 1 < depth else b"<< /Font << /F1 3 0 R >> >>"
        shows = b"/F Do\n" * width if level + 1 < depth else b"BT (ha ha ha) Tj ET"
        forms.append(stream(shows, more=b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources %s" % inner))
    return one_page(stream(b"/F Do\n" * width), *forms, resources=b"<< /XObject << /F 5 0 R >> >>")


def encrypted(content: bytes, password: str) -> bytes:
    """The same PDF, for whoever knows the password."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(content)))
    writer.encrypt(password, "owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
