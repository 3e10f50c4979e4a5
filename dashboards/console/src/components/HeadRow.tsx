// The heads of a table that is not sorted: over words at the left, over figures at the right.
import { Table } from "@mantine/core";

type Head = string | { figures: string };

export function HeadRow({ heads }: { heads: readonly Head[] }) {
  return (
    <Table.Tr>
      {heads.map((head) =>
        typeof head === "string" ? (
          <Table.Th key={head} className="column-head">
            {head}
          </Table.Th>
        ) : (
          <Table.Th key={head.figures} className="column-head" ta="right">
            {head.figures}
          </Table.Th>
        ),
      )}
    </Table.Tr>
  );
}
