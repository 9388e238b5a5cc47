"""The notebooks that `benchmarks.savepoints` runs: as people write them, small changes after large ones.

Each function gets the size of the data (megabytes) and of the objects (how many).
"""

from __future__ import annotations


def data_cells(megabytes: int, _: int) -> list[str]:
    rows = megabytes * 50_000  # ten columns of eight bytes are half of it, an array the other half
    return [
        "import numpy as np, pandas as pd",
        "rng = np.random.default_rng(1)",
        f"frame = pd.DataFrame({{f'c{{n}}': rng.random({rows // 8}) for n in range(10)}})",
        f"weights = rng.random({megabytes * 1_000_000 // 2 // 8 + 1})",
        "frame['group'] = rng.integers(0, 5, len(frame))",
        "means = frame.groupby('group').mean()",
        "frame['c1'] = frame['c1'] * 2",
        "limit = 0.5",
        "def clip(values): return np.minimum(values, limit)",
        "clipped = clip(frame['c2'].to_numpy())[:1000]",
        "summary = {'mean': float(frame['c1'].mean()), 'rows': len(frame)}",
        "summary['limit'] = limit",
        "frame.loc[5, 'c3'] = -1.0",
        "weights[:10] = 0",
        "history = [summary]",
        "history.append(dict(summary))",
        "from sklearn.linear_model import LinearRegression",
        "sample = frame.sample(5000, random_state=1)",
        "model = LinearRegression().fit(sample[['c1', 'c2']], sample['c4'])",
        "score = model.score(sample[['c1', 'c2']], sample['c4'])",
        "predicted = model.predict(sample[['c1', 'c2']])",
        "sample['predicted'] = predicted",
        "best = sample.nlargest(10, 'predicted')",
        "counter = 0",
        "counter += 1",
        "class Step:\n    def __init__(self, name): self.name = name",
        "steps = [Step(n) for n in 'abc']",
        "steps[0].name = 'first'",
        "frame = frame.rename(columns={'c9': 'last'})",
        "del clipped",
        "top = frame['c0'].iloc[:100]",
        "text = 'report: ' + str(summary)",
        "counter += 1",
    ]


def plot_cells(megabytes: int, _: int) -> list[str]:
    cells = [
        "import numpy as np, matplotlib; matplotlib.use('Agg')",
        "import matplotlib.pyplot as plt",
        f"points = np.random.default_rng(1).random({megabytes * 1_000_000 // 32})",
    ]
    for number in range(8):
        cells += [
            f"figure{number}, axes{number} = plt.subplots(2, 2)",
            f"axes{number}[0, 0].plot(points[:2000]); axes{number}[1, 1].hist(points[:5000], bins=40)",
            f"note = 'figure {number}'",
        ]
    return cells


def object_cells(_: int, objects: int) -> list[str]:
    return [
        "class Customer:\n    def __init__(self, id): self.id, self.name, self.tags = id, f'c{id}', [id % 7]",
        f"customers = [Customer(n) for n in range({objects // 3})]",
        f"index = {{n: {{'id': n, 'score': n / 2}} for n in range({objects // 3})}}",
        "total = 0",
        "total += 1",
        "customers[10].name = 'changed'",
        "index[5]['score'] = 1.0",
        "chosen = customers[:3]",
        "note = 'nothing large is touched'",
        "total += 1",
        "small = {'a': [1, 2, 3]}",
        "small['b'] = 4",
    ]


def text_cells(megabytes: int, _: int) -> list[str]:
    return [
        "import collections, random, re",
        "random.seed(1); vocabulary = [f'word{n}' for n in range(5000)]",
        f"texts = [' '.join(random.choices(vocabulary, k=200)) for _ in range({megabytes * 20})]",
        "counts = collections.Counter(word for text in texts[:2000] for word in text.split())",
        "common = counts.most_common(20)",
        "from sklearn.feature_extraction.text import TfidfVectorizer",
        "vectorizer = TfidfVectorizer(max_features=2000); matrix = vectorizer.fit_transform(texts[:3000])",
        "pattern = re.compile(r'word1\\d*')",
        "found = [len(pattern.findall(text)) for text in texts[:500]]",
        "labels = [n % 3 for n in range(matrix.shape[0])]",
        "from sklearn.naive_bayes import MultinomialNB",
        "model = MultinomialNB().fit(matrix, labels)",
        "accuracy = model.score(matrix, labels)",
        "texts[0] = 'changed'",
        "note = 'done'",
    ]


SESSIONS = {"data": data_cells, "plots": plot_cells, "objects": object_cells, "text": text_cells}
