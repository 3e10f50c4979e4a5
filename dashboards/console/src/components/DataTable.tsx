// A list of things: a sortable table, or one card a thing where the screen is narrow.
import { Box, Button, Card, Group, Stack, Table, Text, UnstyledButton } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconArrowsSort } from "@tabler/icons-react";
import {
  createSortedRowModel,
  rowSortingFeature,
  sortFn_alphanumeric,
  tableFeatures,
  useTable,
  type ColumnDef,
} from "@tanstack/react-table";
import { useMemo, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useNarrow } from "./useNarrow";

export interface Column<T> {
  /** Unique; also the column's name in tests. */
  id: string;
  header: string;
  cell: (row: T) => ReactNode;
  /** Sortable by this. */
  sort?: (row: T) => string | number;
  align?: "right";
  /** The first thing of a card. */
  isTitle?: boolean;
  /** More than a card's line holds: it stands below its header. */
  isLong?: boolean;
  /** Buttons: at the end, without a header to see. */
  isActions?: boolean;
}

interface Props<T> {
  /** What the table lists, for those who can't see it. */
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  rowId: (row: T) => string;
  empty: ReactNode;
  /** Rows below the table; cards go without. */
  foot?: ReactNode;
  more?: { hasMore: boolean; loading: boolean; load: () => void };
  /** Of more rows than this, so many more each time that somebody asks. */
  atOnce?: number;
}

const features = tableFeatures({
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: { alphanumeric: sortFn_alphanumeric },
});

export function DataTable<T extends object>(props: Props<T>) {
  const narrow = useNarrow();
  const { rows, atOnce = Infinity } = props;
  const [shown, setShown] = useState(atOnce);
  if (rows.length === 0) return props.empty;
  const hidden = {
    hasMore: true,
    loading: false,
    load: () => setShown(shown + atOnce),
  };
  const more = rows.length > shown ? hidden : props.more;
  return (
    <>
      {narrow ? <Cards {...props} shown={shown} /> : <Rows {...props} shown={shown} />}
      {more && <More {...more} />}
    </>
  );
}

function useRows<T extends object>({ columns, rows, rowId }: Props<T>) {
  const definitions = useMemo<ColumnDef<typeof features, T>[]>(
    () =>
      columns.map(({ id, header, sort }) => ({
        id,
        header,
        accessorFn: sort ?? (() => ""),
        enableSorting: sort !== undefined,
        sortFn: "alphanumeric",
      })),
    [columns],
  );
  return useTable({
    features,
    columns: definitions,
    data: rows,
    getRowId: rowId,
  });
}

function Rows<T extends object>(props: Props<T> & { shown: number }) {
  const table = useRows(props);
  const byId = new Map(props.columns.map((column) => [column.id, column]));
  return (
    <Table.ScrollContainer minWidth={640} type="native">
      <Table highlightOnHover aria-label={props.label}>
        <Table.Thead>
          {table.getHeaderGroups().map((group) => (
            <Table.Tr key={group.id}>
              {group.headers.map(({ id, column }) => (
                <HeaderCell
                  key={id}
                  column={byId.get(column.id)}
                  sorted={column.getIsSorted()}
                  onSort={column.getCanSort() ? () => column.toggleSorting() : undefined}
                />
              ))}
            </Table.Tr>
          ))}
        </Table.Thead>
        <Table.Tbody>
          {/* Of all of them in order, the first. */}
          {table.getRowModel().rows.slice(0, props.shown).map((row) => (
            <Table.Tr key={row.id}>
              {row.getAllCells().map((cell) => (
                <Table.Td key={cell.id} ta={byId.get(cell.column.id)?.align}>
                  {/* Called, not made a component: pages write new functions at each render, and
                      a new component would lose what a dialog in a cell holds. */}
                  {byId.get(cell.column.id)?.cell(row.original)}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
        {props.foot && <Table.Tfoot className="total">{props.foot}</Table.Tfoot>}
      </Table>
    </Table.ScrollContainer>
  );
}

interface HeaderCellProps {
  column: { header: string; align?: "right"; isActions?: boolean } | undefined;
  sorted: false | "asc" | "desc";
  onSort: (() => void) | undefined;
}

function HeaderCell({ column, sorted, onSort }: HeaderCellProps) {
  const Mark = sorted === "asc" ? IconArrowUp : sorted === "desc" ? IconArrowDown : IconArrowsSort;
  const order = sorted === "asc" ? "ascending" : sorted === "desc" ? "descending" : "none";
  return (
    <Table.Th ta={column?.align} aria-sort={onSort && order} className="column-head">
      {onSort ? (
        <UnstyledButton onClick={onSort} fz="inherit" fw="inherit" c="inherit">
          <Group gap={4} wrap="nowrap" component="span" display="inline-flex">
            {column?.header}
            <Mark size={13} aria-hidden opacity={sorted ? 1 : 0.45} />
          </Group>
        </UnstyledButton>
      ) : (
        <Box component="span" className={column?.isActions ? "sr-only" : undefined}>
          {column?.header}
        </Box>
      )}
    </Table.Th>
  );
}

function Cards<T extends object>(props: Props<T> & { shown: number }) {
  const { label, columns, rows, rowId, shown } = props;
  const title = columns.find((column) => column.isTitle);
  const actions = columns.filter((column) => column.isActions);
  const facts = columns.filter((column) => !column.isTitle && !column.isActions);
  return (
    <Stack component="ul" aria-label={label} gap="sm" p="sm" m={0} style={{ listStyle: "none" }}>
      {rows.slice(0, shown).map((row) => (
        <Card component="li" key={rowId(row)} withBorder padding="sm">
          <Group justify="space-between" align="flex-start" gap="xs">
            <Box fw={600} miw={0} style={{ overflowWrap: "anywhere" }}>
              {title?.cell(row)}
            </Box>
            {actions.map((column) => (
              <Box key={column.id}>{column.cell(row)}</Box>
            ))}
          </Group>
          <Stack gap={4} mt={6}>
            {facts.map((column) => (
              <Group
                key={column.id}
                gap={column.isLong ? 0 : "sm"}
                wrap={column.isLong ? "wrap" : "nowrap"}
                align="flex-start"
                justify="space-between"
              >
                <Text size="xs" c="dimmed" style={{ flex: "none" }}>
                  {column.header}
                </Text>
                <Box
                  fz="sm"
                  ta={column.isLong ? "left" : "right"}
                  w={column.isLong ? "100%" : undefined}
                  miw={0}
                  style={{ overflowWrap: "anywhere" }}
                >
                  {column.cell(row)}
                </Box>
              </Group>
            ))}
          </Stack>
        </Card>
      ))}
    </Stack>
  );
}

function More({
  hasMore,
  loading,
  load,
}: {
  hasMore: boolean;
  loading: boolean;
  load: () => void;
}) {
  const { t } = useTranslation();
  if (!hasMore) return null;
  return (
    <Group justify="center" p="sm">
      <Button variant="subtle" size="compact-md" onClick={load} loading={loading}>
        {t("action.more")}
      </Button>
    </Group>
  );
}
