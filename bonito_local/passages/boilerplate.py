"""What of a web page is no text of it: menus, cookie banners, headers and footers of the site."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bonito_local.passages.dom import (
    BLOCKS,
    SILENT,
    attribute,
    count_words,
    is_hidden,
    tag_of,
    walk,
)

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_ROLES = frozenset(("navigation", "search", "menu", "menubar", "toolbar", "tablist"))
_DIALOGS = frozenset(("dialog", "alertdialog"))  # that a script opens
_NEVER = frozenset(("html", "body", "main"))  # what holds the text, whatever its class is
# Words of a class or an id that say what an element is for. Those of the first kind are left out
# where they are short, those of the second where most of their words are links as well.
_BANNERS = re.compile(
    r"cookies?|consent|gdpr|onetrust|cmp|cybotcookiebotdialog|skip|skiplinks?|breadcrumbs?"
    r"|pagination|pager|sharing|sharebar|sharedaddy|addthis|a2a|socials?|newsletter|signup|paywall"
    r"|editsection|noprint|advert|advertisement|ads|adsense|jumplink|backtotop|printfriendly"
    r"|modal|popup|lightbox|vjs|jwplayer|mejs|catlinks|printfooter|jump"
)
_LISTS = re.compile(
    r"nav|navi|navbar|navbox|navigation|menus?|sidebar|footer|header|masthead|topbar|toolbar"
    r"|related|recommended|recommendations|trending|popular|tags?|share|social|categories"
    r"|widgets?|toc|links?|promo|teasers?|outbrain|taboola|meta|byline|subscribe|banner"
)
_COMMENTS = re.compile(r"comments?|commentlist|disqus|respond|livefyre|coral")
# The first line of a box that leads to other stories.
_TEASERS = re.compile(
    r"related(?: (?:articles?|stories|posts?|coverage|content|topics|reading|news|links))?"
    r"|more (?:stories|news|articles|on this (?:story|topic)|from [\w ]{2,30})|read (?:more|next)"
    r"|(?:most|also) (?:popular|read|viewed|shared)|you (?:might|may) also like"
    r"|recommended (?:for you|reading|stories|articles|videos)|trending(?: now| articles| stories)?"
    r"|latest (?:news|stories|articles)|share this(?: article| story| post| page)?|up next"
    r"|advertisement|sponsored(?: content)?|next on [\w ]{2,20}|today on [\w ]{2,20}"
    r"|mehr zum thema|das könnte (?:sie|dich) auch interessieren|meistgelesen|lesen sie auch"
    r"|(?:à )?lire aussi|sur le même sujet|les plus lus|más (?:sobre|leídas|noticias)[\w ]{0,30}"
    r"|te puede interesar|(?:notas|tópicos|temas) relacionad[oa]s|mais lidas[\w ]{0,20}"
    r"|leia (?:mais|também)|leggi anche|lees ook|(?:don['’]t|do not) miss|see (?:more|also)"
    r"|more from (?:the )?[\w ]{2,30}|explore further|related (?:videos?|roundups?|slide ?shows?)"
    r"|(?:most|also) (?:read|viewed|popular|shared) (?:in|on|this|stories|articles)[\w ]{0,20}"
    r"|(?:latest|popular|featured|recent|other) (?:videos?|articles?|stories|posts?|slide ?shows?)"
    r"|recent (?:slide ?shows?|articles|stories|news|posts)|next article"
    r"|what['’]s (?:next|trending)",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-Za-z][a-z0-9]+|[A-Z]+|[a-z0-9]+")
_SHORT_BANNER = 150  # words
_FIRST = 80  # characters, of a box's first line
_FEWEST_TEASERS = 3  # of a box that leads to other pages
_LONGEST_TEASER, _LONGEST_LEAD = 90, 35  # words for each: all, those in paragraphs
_DENSE = 25  # words for each link: fewer are no prose
_LINKED = 0.5  # share of the words in links: more is a menu
_LIST_LINKED, _FEWEST_LINKS, _LONGEST_LINK = 0.75, 3, 9  # of a list without a name, and its links
_MANY_LINKS, _ALL_LINKED = 20, 0.95  # of such a list in the main text
_MOST_OF_PAGE = 0.5  # of the words outside links: what would leave out more is no menu
_LEAST_PROSE = 100  # words: of a main text that is known by its title, and beside comments
_ARTICLE_SHARE = 0.8  # of the words outside links and asides, of an article in the main element
_MAIN_SHARE = 0.6  # of the words outside links, that the main element holds
_MAINS = (  # how pages name their main text, the surest way first
    "main, [role=main]",
    "article",
    "[itemprop=articleBody], .article, .entry-content, .post-content, .article-body, #article",
)
_TEXTS = frozenset("p li td th dd dt blockquote figcaption caption h1 h2 h3 h4 h5 h6".split())
_LANDMARKS = frozenset(("header", "footer", "aside"))


@dataclass(slots=True)
class _Size:
    """The words in a node, those of them in links, and its links."""

    words: int = 0
    linked: int = 0
    links: int = 0
    headings: int = 0
    titles: int = 0  # headings of the first level
    teasers: int = 0  # headings that are a link to another page
    prose: int = 0  # words in paragraphs
    first: str = ""  # line of text

    def share(self) -> float:
        return self.linked / self.words if self.words else 0.0

    def plain(self) -> int:
        return self.words - self.linked


def menus(root: LexborNode) -> dict[int, str]:
    """Return the nodes of a page that are no text of it, by identity.

    Where a page declares its main text, and that holds most of its words, the rest is left out but
    for the title. Otherwise an element counts as one by what it is (nav), by its role, or by its
    name and its links; a list of links does where it stands outside the main text. Nothing that
    holds half of a page's words outside links is left out.
    """
    sizes = _sizes(root)
    total = sizes[root.mem_id].plain()
    picker = _Picker(sizes, total, _main(root, sizes, total))
    walk(root, picker.enter, picker.leave)
    return picker.picked


def _sizes(root: LexborNode) -> dict[int, _Size]:
    sizes: dict[int, _Size] = {}
    open_sizes: list[_Size] = []
    links = 0

    def enter(node: LexborNode) -> bool:
        nonlocal links
        if node.is_text_node:
            text = node.text_content or ""
            count = count_words(text)
            for outer in reversed(open_sizes if count else ()):
                if outer.first:
                    break
                outer.first = text[:_FIRST].strip()
            open_sizes[-1].words += count
            open_sizes[-1].linked += count if links else 0
            return False
        if node.is_comment_node or tag_of(node) in SILENT or is_hidden(node):
            return False
        links += node.tag == "a"
        size = _Size(links=int(node.tag == "a"), titles=int(node.tag == "h1"))
        size.headings = int(_is_heading(node))
        open_sizes.append(size)
        return True

    def leave(node: LexborNode) -> None:
        nonlocal links
        links -= node.tag == "a"
        size = sizes[node.mem_id] = open_sizes.pop()
        if node.tag == "p":
            size.prose = size.plain()
        elif size.words and size.linked == size.words and _is_heading(node):
            size.teasers = int(_leads_away(node))
        if open_sizes:
            outer = open_sizes[-1]
            outer.words += size.words
            outer.linked += size.linked
            outer.links += size.links
            outer.headings += size.headings
            outer.titles += size.titles
            outer.teasers += size.teasers
            outer.prose += size.prose

    walk(root, enter, leave)
    return sizes


def _leads_away(heading: LexborNode) -> bool:
    """Whether a heading that is a link leads to another page, not to itself."""
    link = heading.css_first("a")
    above = heading.parent
    while link is None and above is not None:
        link = above if above.tag == "a" else None
        above = above.parent
    return link is not None and not attribute(link, "href").startswith("#")


def _main(root: LexborNode, sizes: dict[int, _Size], total: int) -> LexborNode | None:
    """Return the element that a page declares as its main text.

    That is one that holds most of the page's words, or its title. An article in it that holds
    most of its words, asides not counted, is the main text where it has the page's title.
    """
    main = _declared_main(root, sizes, total)
    if main is None or main.tag == "article":
        return main
    asides = (sizes[node.mem_id].plain() for node in main.css("aside") if node.mem_id in sizes)
    least = _ARTICLE_SHARE * (sizes[main.mem_id].plain() - sum(asides))
    for node in main.css("article"):
        size = sizes.get(node.mem_id)
        if size and size.titles == 1 and size.plain() >= max(least, _LEAST_PROSE):
            return node
    return main


def _declared_main(root: LexborNode, sizes: dict[int, _Size], total: int) -> LexborNode | None:
    for selector in _MAINS:
        nodes = [node for node in root.css(selector) if node.mem_id in sizes]
        for node in nodes[:1]:
            most = total and sizes[node.mem_id].plain() >= _MAIN_SHARE * total
            if most and not _in_table(node):
                return node
    return _titled_main(root, sizes)


def _titled_main(root: LexborNode, sizes: dict[int, _Size]) -> LexborNode | None:
    """Return the element declared as main text that holds the page's only title, or None.

    Around it may stand more text than in it: other stories, readers' comments. It is none where
    another element of its kind holds half as much prose.
    """
    for selector in _MAINS:
        nodes = [node for node in root.css(selector) if node.mem_id in sizes]
        nodes.sort(key=lambda node: -sizes[node.mem_id].prose)
        for node in nodes[:1]:
            size = sizes[node.mem_id]
            others = [sizes[other.mem_id].prose for other in nodes[1:]]
            if (
                size.prose >= _LEAST_PROSE
                and size.titles == sizes[root.mem_id].titles == 1
                and max(others, default=0) < size.prose / 2
                and not _in_table(node)
            ):
                return node
    return None


def _in_table(node: LexborNode) -> bool:
    """Whether an element is in a table, whose other cells then belong to the text too."""
    above = node.parent
    while above is not None and above.tag != "table":
        above = above.parent
    return above is not None


class _Picker:
    def __init__(self, sizes: dict[int, _Size], total: int, main: LexborNode | None) -> None:
        self.picked: dict[int, str] = {}
        self._sizes = sizes
        self._prose = max((size.prose for size in sizes.values()), default=0)
        self._total = total
        self._most = _MOST_OF_PAGE * total
        self._main = main
        self._around: set[int] = set()  # what holds the main text
        while main is not None:
            self._around.add(main.mem_id)
            main = main.parent
        self._inside = 0  # of the main text

    def enter(self, node: LexborNode) -> bool:
        size = self._sizes.get(node.mem_id)
        if size is None:
            return False
        inside = self._is_main(node)
        if self._is_comments(node, size):
            self.picked[node.mem_id] = "readers"
            return False
        if self._main is not None and not self._inside and node.mem_id not in self._around:
            if not size.titles:
                self._pick(node, size)
            return size.titles > 0 and node.tag != "h1"
        if (
            not inside
            and size.plain() < max(1, self._most)
            and (
                self._is_menu(node, size)
                or _leads_elsewhere(tag_of(node), size)
                or self._is_teasers(node, size)
            )
        ):
            self._pick(node, size)
            return False
        self._inside += inside
        return True

    def leave(self, node: LexborNode) -> None:
        self._inside -= self._is_main(node)

    def _pick(self, node: LexborNode, size: _Size) -> None:
        """Leave a node out. Links that the page itself declares as its menu need no mention."""
        own = node.tag == "nav" and not size.plain()
        self.picked[node.mem_id] = "links" if own else "menu"

    def _is_main(self, node: LexborNode) -> bool:
        if self._main is not None:
            return node.mem_id == self._main.mem_id
        return node.tag in ("article", "main")

    def _is_menu(self, node: LexborNode, size: _Size) -> bool:
        tag, role = tag_of(node), attribute(node, "role").lower()
        if tag in _NEVER:
            return False
        if tag == "nav" or role in _ROLES:
            return True
        if role in _DIALOGS:
            return size.plain() <= _SHORT_BANNER
        if not self._inside and (tag in _LANDMARKS or role in ("banner", "contentinfo")):
            if tag == "footer" or role == "contentinfo":
                return True
            return size.share() > _LINKED or (not size.headings and size.prose < 15)
        named = self._is_named_menu(node, tag, size)
        return self._is_link_list(node, tag, size) if named is None else named

    def _is_named_menu(self, node: LexborNode, tag: str, size: _Size) -> bool | None:
        """Whether an element's class or id makes it a menu; None where neither says."""
        names = list(_names(node))
        # "[edit]" and the like go; other words that are not printed belong to their sentence.
        banners = [n for n in names if n != "noprint" and _BANNERS.fullmatch(n)]
        if self._in_sentence(node, size) and (tag == "a" or not banners):
            return False
        if any(map(_BANNERS.fullmatch, names)):
            return size.plain() <= _SHORT_BANNER
        if tag == "a" and self._inside:  # "link" says nothing of a link
            names = [name for name in names if name not in ("link", "links")]
        if any(map(_LISTS.fullmatch, names)):
            if size.share() > _LINKED and not (self._inside and tag in ("p", "td", "li")):
                return True
            if "footer" in names and not self._inside:
                return not size.headings and size.plain() <= _SHORT_BANNER
        return None

    def _is_link_list(self, node: LexborNode, tag: str, size: _Size) -> bool:
        if tag not in ("ul", "ol", "div", "table", "dl", "p", "center", "section"):
            return False
        if self._inside and (size.links < _MANY_LINKS or size.share() < _ALL_LINKED):
            return False
        if _is_announced(node):
            return False
        few_words = size.words <= _LONGEST_LINK * size.links
        return size.links >= _FEWEST_LINKS and few_words and size.share() > _LIST_LINKED

    def _is_teasers(self, node: LexborNode, size: _Size) -> bool:
        """Whether a box holds headings that lead to other pages, beside a longer text."""
        if node.tag not in ("div", "section", "aside", "ul", "ol") or size.titles:
            return False
        if size.teasers < _FEWEST_TEASERS or size.words > _LONGEST_TEASER * size.teasers:
            return False
        if size.prose > _LONGEST_LEAD * size.teasers:
            return False
        return self._total - size.plain() >= max(_LEAST_PROSE, size.plain())

    def _is_comments(self, node: LexborNode, size: _Size) -> bool:
        """Whether an element holds readers' comments below a text of some length."""
        if node.tag not in ("div", "section", "aside", "ol", "ul") or not size.words:
            return False
        if self._prose - size.prose < _LEAST_PROSE or size.titles or node.mem_id in self._around:
            return False
        return any(_COMMENTS.fullmatch(name) for name in _names(node))

    def _in_sentence(self, node: LexborNode, size: _Size) -> bool:
        """Whether an element is a part of a line of text, which a class does not make a menu."""
        above = node.parent
        if tag_of(node) in BLOCKS or above is None:
            return False
        if _is_heading(above):
            return True
        while above.parent is not None and tag_of(above) not in BLOCKS:
            above = above.parent
        around = self._sizes.get(above.mem_id, size)
        return tag_of(above) in _TEXTS and around.plain() > 0 and around.words > size.words


def _leads_elsewhere(tag: str, size: _Size) -> bool:
    """Whether a box says in its first line that it leads to other stories."""
    if tag not in ("div", "section", "aside", "ul", "ol") or size.titles:
        return False
    if not _TEASERS.fullmatch(size.first.rstrip(" :…")):
        return False
    dense = size.links >= _FEWEST_LINKS and size.words <= _DENSE * size.links
    dense = dense or size.teasers >= _FEWEST_TEASERS
    return size.share() > _LINKED or size.plain() <= _SHORT_BANNER or dense


def _is_announced(node: LexborNode) -> bool:
    """Whether a list follows a text that ends with a colon: it is the text's own."""
    if node.tag not in ("ul", "ol", "dl"):
        return False
    before = node.prev
    while before is not None:
        text = before.text_content or "" if before.is_text_node else before.text()
        if not before.is_comment_node and text.strip():
            return text.rstrip().endswith(":")
        before = before.prev
    return False


def _names(node: LexborNode) -> Iterator[str]:
    """Yield the words of an element's classes and id, in lower case."""
    for name in (attribute(node, "class"), attribute(node, "id")):
        for word in _NAME.findall(name):
            yield word.lower()


def _is_heading(node: LexborNode) -> bool:
    return len(node.tag or "") == 2 and (node.tag or "")[0] == "h" and (node.tag or "")[1].isdigit()
