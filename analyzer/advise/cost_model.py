"""What any set of indexes would cost the workload, judged from the plans already seen."""

from collections.abc import Iterable

from .workload_costs import IndexSet, TextPrice, WorkloadCosts


class CostModel:
    """Estimates from prices: a set costs a text at most what the cheapest plan seen costs that uses indexes of the set alone.

    (Papadomanolakis, Dash & Ailamaki, "Efficient Use of the Query Optimizer for Automated Physical Design", VLDB 2007.)
    An index can raise a cost merely by being there, since PostgreSQL reads the ends of a column's values from it: `disturb`
    tells that it does, and plans that were found without it then count no longer for sets that hold it.
    """

    def __init__(self, costs: WorkloadCosts) -> None:
        self._costs = costs
        self._ranked: list[tuple[list[TextPrice], IndexSet]] = []
        self._known: list[int] = []
        self._memo: list[dict[IndexSet, float]] = []
        self._disturbing: dict[int, IndexSet] = {}

    def refresh(self) -> list[int]:
        """Take in the prices that were asked since; the texts that have new ones."""
        changed = []
        for number, text in enumerate(self._costs.texts):
            if number == len(self._known):
                self._known.append(0)
                self._ranked.append(([], 0))
                self._memo.append({})
            if len(text.prices) > self._known[number]:
                self._rank(number)
                changed.append(number)
        return changed

    def cost(self, number: int, on: IndexSet) -> float:
        """Of one text, not weighted."""
        ranked, mask = self._ranked[number]
        on &= mask
        memo = self._memo[number]
        found = memo.get(on)
        if found is None:
            found = memo[on] = self._cheapest(number, ranked, on).cost
        return found

    def plan(self, number: int, on: IndexSet) -> TextPrice:
        """The cheapest plan seen of the text that uses indexes of the set alone."""
        ranked, mask = self._ranked[number]
        return self._cheapest(number, ranked, on & mask)

    def total(self, on: IndexSet, numbers: Iterable[int] | None = None) -> float:
        """Weighted, of these texts or of all."""
        texts = self._costs.texts
        wanted = range(len(texts)) if numbers is None else numbers
        return sum(texts[number].weight * self.cost(number, on) for number in wanted)

    def costs(self, on: IndexSet) -> list[float]:
        """Of every text, not weighted."""
        return [self.cost(number, on) for number in range(len(self._ranked))]

    def plans(self, number: int) -> list[IndexSet]:
        """The sets of indexes that plans seen of the text use together, the cheapest plan first."""
        return list(dict.fromkeys(price.used for price in self._ranked[number][0] if price.used))

    def used_in(self, number: int) -> IndexSet:
        """The indexes that any plan seen of the text uses."""
        return self._ranked[number][1]

    def floor(self, number: int) -> float:
        """What the text costs at least, of all that has been seen."""
        return self._ranked[number][0][0].cost

    def ranked(self, number: int) -> list[TextPrice]:
        """The prices of the text that can matter, the cheapest first."""
        return self._ranked[number][0]

    def disturbing(self, number: int) -> IndexSet:
        """The indexes that change the text's cost by their presence."""
        return self._disturbing.get(number, 0)

    def used(self) -> IndexSet:
        """The indexes that any plan seen uses."""
        found = 0
        for _, mask in self._ranked:
            found |= mask
        return found

    def touched(self, on: IndexSet) -> list[int]:
        """The texts of which some plan seen uses one of these indexes."""
        return [number for number, (_, mask) in enumerate(self._ranked) if mask & on]

    def disturb(self, number: int, indexes: IndexSet) -> None:
        """Say that these indexes change what the text's plans without them cost."""
        self._disturbing[number] = self._disturbing.get(number, 0) | indexes
        self._rank(number)

    def _cheapest(self, number: int, ranked: list[TextPrice], on: IndexSet) -> TextPrice:
        disturbing = on & self._disturbing.get(number, 0)
        for price in ranked:
            if not price.used & ~on and not disturbing & ~price.on:
                return price
        return max(ranked, key=lambda price: price.cost)

    def _rank(self, number: int) -> None:
        prices = self._costs.texts[number].prices
        # Of plans with the same indexes only those seen with different disturbing ones matter.
        best: dict[tuple[IndexSet, IndexSet], TextPrice] = {}
        disturbing, mask = self._disturbing.get(number, 0), self._disturbing.get(number, 0)
        for price in prices:
            best.setdefault((price.used, price.on & disturbing), price)
            mask |= price.used
        ranked = sorted(best.values(), key=lambda price: price.cost)
        self._ranked[number] = (ranked, mask)
        self._known[number] = len(prices)
        self._memo[number] = {}
