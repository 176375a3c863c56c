"""Equations of the site as MathML, which browsers draw without a script."""

from xml.etree.ElementTree import Element, fromstring

from latex2mathml.converter import convert
from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor

NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"


class _Equations(Treeprocessor):
    """Replaces what arithmatex marked by MathML."""

    def run(self, root: Element) -> None:
        for element in root.iter():
            if element.get("class") != "arithmatex":
                continue
            block = element.tag == "div"
            latex = (element.text or "").strip()[2:-2].strip()
            math = fromstring(convert(latex, display="block" if block else "inline"))
            for part in math.iter():
                part.tag = part.tag.removeprefix(NAMESPACE)
            element.text = None
            element.append(math)


class _Math(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        md.treeprocessors.register(_Equations(md), "mathml", 1)


def makeExtension(**options: object) -> _Math:
    """The name that Markdown looks for."""
    return _Math(**options)
