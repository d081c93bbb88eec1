"""many-partitions-planning."""

from collections.abc import Iterator

from ..finding import Fact, Finding, LookedAt
from ..plan_context import PlanContext
from ..plan_rule import PlanRule

MANY = 100


class ManyPartitionsPlanning(PlanRule):
    """The table has so many partitions that planning takes longer than running.

    ## Why it is slow
    Each partition that cannot be left out when planning costs time to plan, whatever it holds.

    ## Bad
    ```text
    Append  (cost=0.00..120.00 rows=120 width=4) (actual time=0.010..0.900 rows=1 loops=1)
      ->  Seq Scan on part_1 p_1  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_2 p_2  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_3 p_3  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_4 p_4  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_5 p_5  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_6 p_6  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_7 p_7  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_8 p_8  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_9 p_9  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_10 p_10  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_11 p_11  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_12 p_12  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_13 p_13  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_14 p_14  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_15 p_15  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_16 p_16  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_17 p_17  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_18 p_18  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_19 p_19  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_20 p_20  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_21 p_21  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_22 p_22  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_23 p_23  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_24 p_24  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_25 p_25  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_26 p_26  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_27 p_27  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_28 p_28  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_29 p_29  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_30 p_30  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_31 p_31  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_32 p_32  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_33 p_33  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_34 p_34  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_35 p_35  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_36 p_36  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_37 p_37  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_38 p_38  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_39 p_39  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_40 p_40  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_41 p_41  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_42 p_42  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_43 p_43  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_44 p_44  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_45 p_45  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_46 p_46  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_47 p_47  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_48 p_48  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_49 p_49  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_50 p_50  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_51 p_51  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_52 p_52  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_53 p_53  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_54 p_54  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_55 p_55  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_56 p_56  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_57 p_57  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_58 p_58  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_59 p_59  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_60 p_60  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_61 p_61  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_62 p_62  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_63 p_63  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_64 p_64  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_65 p_65  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_66 p_66  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_67 p_67  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_68 p_68  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_69 p_69  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_70 p_70  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_71 p_71  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_72 p_72  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_73 p_73  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_74 p_74  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_75 p_75  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_76 p_76  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_77 p_77  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_78 p_78  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_79 p_79  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_80 p_80  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_81 p_81  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_82 p_82  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_83 p_83  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_84 p_84  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_85 p_85  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_86 p_86  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_87 p_87  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_88 p_88  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_89 p_89  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_90 p_90  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_91 p_91  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_92 p_92  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_93 p_93  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_94 p_94  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_95 p_95  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_96 p_96  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_97 p_97  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_98 p_98  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_99 p_99  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_100 p_100  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_101 p_101  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
    Planning Time: 24.210 ms
    Execution Time: 1.920 ms
    ```

    ## Good
    ```text
    Append  (cost=0.00..2.00 rows=2 width=4) (actual time=0.010..0.900 rows=1 loops=1)
      ->  Seq Scan on part_1 p_1  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=0 loops=1)
      ->  Seq Scan on part_2 p_2  (cost=0.00..1.00 rows=1 width=4) (actual time=0.001..0.002 rows=1 loops=1)
    Planning Time: 0.210 ms
    Execution Time: 0.920 ms
    ```
    """

    code = "PLN040"

    def look(self, context: PlanContext) -> Iterator[Finding | LookedAt]:
        if context.longer_planned is None:
            return
        planning_ms, execution_ms = context.longer_planned
        for node in context.nodes:
            count = len(node.children) + (node.subplans_removed or 0)
            if node.type not in ("Append", "Merge Append") or count < MANY:
                continue
            yield self.finding(
                context,
                node,
                f"{count} partitions are planned for {planning_ms:.1f} ms, and run for {execution_ms:.1f} ms",
                [
                    Fact("partitions", count),
                    Fact("planning time", planning_ms, "ms"),
                    Fact("execution time", execution_ms, "ms"),
                ],
                share=1.0,
                ms=planning_ms,
                title="Use fewer, larger partitions, or compare the partition key with a constant",
                reason="Partitions that a constant rules out are left out while planning; the others are planned one by one.",
            )
            return
