"""Figures and widgets: matplotlib, plotly, PIL, ipywidgets."""

from __future__ import annotations

from . import Kind, Library

MATPLOTLIB = Library(
    "matplotlib",
    ("matplotlib", "numpy"),
    """
import io, matplotlib
matplotlib.use('agg')
import matplotlib.pyplot as plt, numpy as np
from matplotlib.figure import Figure

def figure(draw=lambda axes: axes.plot([1, 2, 3], [3, 1, 2], label='l'), **options):
    made = Figure(figsize=(3, 2), dpi=50)
    axes = made.add_subplot(**options)
    draw(axes)
    return made

def pixels(figure):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return bytes(canvas.buffer_rgba())

def same_picture(a, b):
    return pixels(a) == pixels(b)

def of_pyplot():
    made, axes = plt.subplots()
    axes.plot([1, 2])
    return made

rng = lambda: np.random.default_rng(1)
""",
    [
        Kind("figure with a line", "figure()", "same_picture(a, b)"),
        Kind(
            "line of a figure",
            "(lambda f: [f, f.axes[0], f.axes[0].lines[0]])(figure())",
            "b[2] is b[1].lines[0] and b[1].figure is b[0] and same_picture(a[0], b[0])",
        ),
        Kind("figure drawn before", "(lambda f: pixels(f) and f)(figure())", "same_picture(a, b)"),
        Kind(
            "bars, scatter, histogram",
            "[figure(lambda x: x.bar('ab', [1, 2])), figure(lambda x: x.scatter([1, 2], [2, 1], c=[0, 1])), figure(lambda x: x.hist([1, 1, 2]))]",
            "all(map(same_picture, a, b))",
        ),
        Kind(
            "image with a colour bar",
            "(lambda f: f.colorbar(f.axes[0].imshow(np.eye(3))) and f)(figure())",
            "same_picture(a, b)",
        ),
        Kind(
            "contours, quiver, pie",
            "[figure(lambda x: x.contourf(np.eye(4))), figure(lambda x: x.quiver([0], [0], [1], [1])), figure(lambda x: x.pie([1, 2]))]",
            "all(map(same_picture, a, b))",
        ),
        Kind(
            "legend, texts, annotations",
            "figure(lambda x: (x.plot([1, 2], label='a'), x.legend(), x.set_title('t'), x.annotate('here', (0, 1))))",
            "same_picture(a, b)",
        ),
        Kind(
            "axes in three dimensions",
            "figure(lambda x: x.plot([1, 2], [1, 2], [1, 2]), projection='3d')",
            "same_picture(a, b)",
        ),
        Kind(
            "polar and logarithmic axes",
            "[figure(projection='polar'), figure(lambda x: x.loglog([1, 10], [1, 10]))]",
            "all(map(same_picture, a, b))",
        ),
        Kind(
            "dates on an axis",
            "figure(lambda x: x.plot(np.array(['2026-01-01', '2026-01-02'], 'M8[D]'), [1, 2]))",
            "same_picture(a, b)",
        ),
        Kind(
            "twin axes, shared axes",
            "(lambda f: [f.axes[0].twinx().plot([9, 8]), f][1])(figure())",
            "same_picture(a, b) and b.axes[1].get_shared_x_axes().joined(b.axes[0], b.axes[1])",
        ),
        Kind("figure of pyplot", "of_pyplot()", "len(b.axes[0].lines) == 1", "rebuilt"),
        Kind(
            "subfigures",
            "(lambda f: f.subfigures(1, 2)[0].subplots().plot([1]) and f)(Figure(figsize=(2, 2)))",
            "same_picture(a, b)",
        ),
        Kind(
            "figure with a callback",
            "(lambda f: f.canvas.mpl_connect('draw_event', print) and f)(figure())",
            "same_picture(a, b)",
            "rebuilt",
        ),
        Kind(
            "colour maps and norms",
            "[matplotlib.colormaps['viridis'], matplotlib.colors.LogNorm(1, 10)]",
            "b[0](0.5) == a[0](0.5) and b[1](3) == a[1](3)",
        ),
        Kind(
            "path, transform",
            "[matplotlib.path.Path([[0, 0], [1, 1]]), matplotlib.transforms.Affine2D().rotate(1)]",
            "(b[0].vertices == a[0].vertices).all() and (b[1].get_matrix() == a[1].get_matrix()).all()",
        ),
        Kind(
            "animation",
            "__import__('matplotlib.animation').animation.FuncAnimation(figure(), len, frames=2)",
            "b._func is len and len(b._fig.axes) == 1",
        ),
        Kind("rcParams", "matplotlib.rcParams.copy()", "dict(a) == dict(b)"),
        Kind(
            "ticker and formatter",
            "[matplotlib.ticker.FuncFormatter(lambda v, p: f'{v}!'), matplotlib.ticker.MaxNLocator(3)]",
            "b[0](1, 0) == '1!'",
        ),
    ],
)

PLOTLY = Library(
    "plotly",
    ("plotly",),
    """
import plotly.graph_objects as go
from json import dumps, loads
json = lambda figure: dumps(loads(figure.to_json()), sort_keys=True)
""",
    [
        Kind("Figure", "go.Figure(go.Scatter(x=[1, 2], y=[2, 1]))", "a.to_dict() == b.to_dict()"),
        Kind(
            "Figure with a layout and template",
            "go.Figure(go.Bar(y=[1]), layout={'title': 't', 'template': 'plotly_dark'})",
            "json(a) == json(b)",
        ),
        Kind(
            "Figure with frames",
            "go.Figure(go.Scatter(y=[1]), frames=[go.Frame(name='f', data=[go.Scatter(y=[2])])])",
            "json(a) == json(b)",
        ),
        Kind(
            "subplots",
            "__import__('plotly.subplots').subplots.make_subplots(1, 2)",
            "json(a) == json(b) and b.get_subplot(1, 2) is not None",
        ),
        Kind("trace and layout alone", "[go.Heatmap(z=[[1]]), go.Layout(title='t')]", "a == b"),
        Kind(
            "arrays in a trace",
            "go.Figure(go.Scatter(y=__import__('numpy').arange(3.0)))",
            "json(a) == json(b)",
        ),
    ],
)

PILLOW = Library(
    "Pillow",
    ("PIL",),
    """
from PIL import Image, ImageDraw, ImageFont, ImageFilter, ImagePalette
import io

def png():
    stream = io.BytesIO()
    Image.new('RGB', (4, 3), 'red').save(stream, 'PNG')
    return stream.getvalue()

def same_image(a, b):
    return (a.mode, a.size, a.tobytes(), a.info) == (b.mode, b.size, b.tobytes(), b.info)
open('red.png', 'wb').write(png())
""",
    [
        Kind("Image", "Image.new('RGB', (4, 3), 'red')", "same_image(a, b)"),
        Kind(
            "Image of a file, loaded or not",
            "[Image.open('red.png'), (lambda i: i.load() and i)(Image.open('red.png'))]",
            "all(map(same_image, a, b))",
        ),
        Kind(
            "Image with a palette",
            "Image.new('P', (2, 2))",
            "same_image(a, b) and b.getpalette() == a.getpalette()",
        ),
        Kind(
            "ImageDraw",
            "(lambda i: [i, ImageDraw.Draw(i)])(Image.new('L', (4, 4)))",
            "b[1].point((0, 0), 200) or b[0].getpixel((0, 0)) == 200",
            "rebuilt",
        ),
        Kind("ImageFilter", "ImageFilter.GaussianBlur(2)", "b.radius == a.radius"),
    ],
)

WIDGETS = Library(
    "ipywidgets",
    ("ipywidgets",),
    """
import ipywidgets, traitlets

def observed():
    made = ipywidgets.IntSlider(value=3, description='n')
    seen = []
    made.observe(lambda change: seen.append(change.new), 'value')
    return [made, seen]

class Tracked(traitlets.HasTraits):
    size = traitlets.Int(3)
    rows = traitlets.List()
""",
    [
        Kind("IntSlider", "ipywidgets.IntSlider(value=3, max=9)", "b.value == 3 and b.max == 9", "rebuilt"),
        Kind(
            "Text, Dropdown, Checkbox",
            "[ipywidgets.Text('t'), ipywidgets.Dropdown(options=['a', 'b'], value='b'), ipywidgets.Checkbox(True)]",
            "[one.value for one in b] == ['t', 'b', True]",
            "rebuilt",
        ),
        Kind(
            "boxes and what is in them",
            "(lambda s: [s, ipywidgets.VBox([s])])(ipywidgets.IntText(5))",
            "b[1].children[0] is b[0]",
            "rebuilt",
        ),
        Kind(
            "layout and style",
            "ipywidgets.Button(description='b', layout={'width': '5px'})",
            "b.layout.width == '5px'",
            "rebuilt",
        ),
        Kind("callbacks of a widget", "observed()", "setattr(b[0], 'value', 8) or b[1][-1] == 8", "rebuilt"),
        Kind("Output", "ipywidgets.Output()", "b.outputs == ()", "rebuilt"),
        Kind("traitlets.HasTraits", "Tracked(size=4, rows=[1])", "(b.size, b.rows) == (4, [1])"),
    ],
)

LIBRARIES = [MATPLOTLIB, PLOTLY, PILLOW, WIDGETS]
