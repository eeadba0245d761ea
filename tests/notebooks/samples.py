"""A small lesson that follows every rule, to be broken one rule at a time."""

GOOD = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
medlib:
  data: []
---

# 0.1 A sample

You learn what a sample is.

**Reading** 5 min · **Running** 2 s on 2 CPU cores · **Needs** nothing · **Data** none

## You will be able to

- add two numbers

## The case

A ward counts beds.

```{code-cell} ipython3
import sys

if "google.colab" in sys.modules:
    %pip install --quiet sample
```

```{code-cell} ipython3
import math
```

## Adding

Two numbers add up to a third.

+++ {"tags": ["hand-worked"]}

By hand, 1.5 + 2.25 = 3.75.

```{code-cell} ipython3
total = 1.5 + 2.25
assert math.isclose(total, 3.75)
print(f"total: {total:.2f}")
```

## Check it

```{code-cell} ipython3
print(f"difference: {abs(math.fsum([1.5, 2.25]) - total):.1f}")
```

## On real data

```{code-cell} ipython3
---
mystnb:
  image:
    alt: A bar of height two stands beside a bar of height three.
---
# plt.show() would stand here
```

**Figure 1.** Two bars.

## Break it

Nothing breaks.

## What it costs

Nothing.

## Key points

- Adding works.

## Exercises

### Exercise 1 (warm-up)

```{code-cell} ipython3
:tags: [solution, hide-input]

answer = 1
```

```{code-cell} ipython3
:tags: [checker-test, hide-input]

assert answer == 1
```

### Exercise 2 (build)

```{code-cell} ipython3
:tags: [solution, hide-input]

answer = 2
```

```{code-cell} ipython3
:tags: [checker-test, hide-input]

assert answer == 2
```

### Exercise 3 (stretch)

```{code-cell} ipython3
:tags: [solution, hide-input]

answer = 3
```

```{code-cell} ipython3
:tags: [checker-test, hide-input]

assert answer == 3
```

## Check yourself

<details><summary>Answer 1</summary>A.</details>

<details><summary>Answer 2</summary>B.</details>

<details><summary>Answer 3</summary>C.</details>

<details><summary>Answer 4</summary>D.</details>

## Sources

- Nobody (1900). [doi:10.1000/1](https://doi.org/10.1000/1)
"""
