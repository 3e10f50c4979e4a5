// What somebody should look at in metering and billing, and what they decide.
import { Badge, Button, Code, Group, Stack, Text } from "@mantine/core";
import { IconCircleCheck, IconEyeCheck, IconGavel } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { findingsQuery, gapsQuery, rulingsQuery } from "../../api/queries";
import type { BillingFinding, UsageGap, UsageRuling } from "../../api/types";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { Dialog } from "../../components/FormDialog";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { Instant, Nothing, When } from "../../components/When";
import { AnswerForm, ResolveForm, RuleForm } from "./forms";

type Asked =
  | { form: "resolve"; finding: BillingFinding }
  | { form: "rule"; fact: string }
  | { form: "answer"; gap: UsageGap };

/** The fact that a finding is about, where it is about one that waits for a ruling. */
export function factOf({ kind, subject }: BillingFinding): string | null {
  const [what, id] = subject.split("/");
  return kind === "usage_quarantined" && what === "fact" && id ? id : null;
}

export function FindingsPage() {
  const { t } = useTranslation();
  const [asked, setAsked] = useState<Asked | null>(null);
  const findings = useQuery(findingsQuery);
  const gaps = useQuery(gapsQuery);
  const rulings = useQuery(rulingsQuery);
  const findingColumns = useFindingColumns(setAsked);
  const gapColumns = useGapColumns(setAsked);
  const rulingColumns = useRulingColumns();
  const close = () => setAsked(null);
  return (
    <>
      <PageHeader title={t("nav.findings")} description={t("finding.about")} />
      <Stack gap="lg">
        <Panel
          title={t("finding.title")}
          flush
          aside={
            <Button
              size="xs"
              variant="default"
              leftSection={<IconGavel size={15} aria-hidden />}
              onClick={() => setAsked({ form: "rule", fact: "" })}
            >
              {t("finding.rule.open")}
            </Button>
          }
        >
          <QueryView query={findings} lines={4}>
            {(items) => (
              <DataTable
                label={t("finding.title")}
                columns={findingColumns}
                rows={items}
                rowId={({ id }) => id}
                empty={<Empty icon={IconCircleCheck} title={t("finding.empty")} />}
              />
            )}
          </QueryView>
        </Panel>
        <Panel title={t("finding.gap.title")} flush>
          <QueryView query={gaps} lines={3}>
            {(items) => (
              <DataTable
                label={t("finding.gap.title")}
                columns={gapColumns}
                rows={items}
                rowId={({ id }) => id}
                empty={<Empty icon={IconCircleCheck} title={t("finding.gap.empty")} />}
              />
            )}
          </QueryView>
        </Panel>
        <Panel title={t("finding.ruling.title")} flush>
          <QueryView query={rulings} lines={3}>
            {(items) => (
              <DataTable
                label={t("finding.ruling.title")}
                columns={rulingColumns}
                rows={items}
                rowId={({ fact_id }) => fact_id}
                empty={<Empty icon={IconGavel} title={t("finding.ruling.empty")} />}
              />
            )}
          </QueryView>
        </Panel>
      </Stack>
      <Dialog
        title={asked ? t(`finding.${asked.form}.title`) : ""}
        opened={asked !== null}
        onClose={close}
      >
        {asked?.form === "resolve" && <ResolveForm finding={asked.finding} onClose={close} />}
        {asked?.form === "rule" && <RuleForm fact={asked.fact} onClose={close} />}
        {asked?.form === "answer" && <AnswerForm gap={asked.gap} onClose={close} />}
      </Dialog>
    </>
  );
}

function useFindingColumns(ask: (asked: Asked) => void): Column<BillingFinding>[] {
  const { t } = useTranslation();
  return [
    {
      id: "kind",
      header: t("finding.column.kind"),
      isTitle: true,
      sort: ({ kind }) => kind,
      cell: ({ kind, severity }) => (
        <Group gap={6}>
          <Code>{kind}</Code>
          <Badge size="sm" color={severity === "error" ? "red" : "yellow"}>
            {t(`finding.severity.${severity}`)}
          </Badge>
        </Group>
      ),
    },
    {
      id: "detail",
      header: t("finding.column.detail"),
      isLong: true,
      cell: ({ subject, detail }) => (
        <div>
          <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>
            {subject}
          </Text>
          <Text size="sm" style={{ overflowWrap: "anywhere" }}>
            {detail}
          </Text>
        </div>
      ),
    },
    {
      id: "first",
      header: t("finding.column.first"),
      sort: ({ first_seen_at }) => first_seen_at,
      cell: ({ first_seen_at }) => <When at={first_seen_at} />,
    },
    {
      id: "seen",
      header: t("finding.column.seen"),
      align: "right",
      sort: ({ seen }) => seen,
      cell: ({ seen }) => <Text size="sm">{seen}</Text>,
    },
    {
      id: "actions",
      header: t("field.actions"),
      isActions: true,
      cell: (finding) => {
        const fact = factOf(finding);
        return (
          <Group gap="xs" justify="flex-end" wrap="nowrap">
            {fact && (
              <Button size="xs" variant="light" onClick={() => ask({ form: "rule", fact })}>
                {t("finding.rule.open")}
              </Button>
            )}
            <Button
              size="xs"
              variant="default"
              leftSection={<IconEyeCheck size={15} aria-hidden />}
              onClick={() => ask({ form: "resolve", finding })}
            >
              {t("finding.resolve.open")}
            </Button>
          </Group>
        );
      },
    },
  ];
}

function useGapColumns(ask: (asked: Asked) => void): Column<UsageGap>[] {
  const { t } = useTranslation();
  return [
    {
      id: "resource",
      header: t("finding.column.resource"),
      isTitle: true,
      cell: ({ kind, resource_id }) => (
        <Text size="sm" style={{ overflowWrap: "anywhere" }}>
          {kind} {resource_id}
        </Text>
      ),
    },
    { id: "from", header: t("bill.column.from"), cell: ({ from }) => <Instant at={from} /> },
    { id: "to", header: t("bill.column.to"), cell: ({ to }) => <Instant at={to} /> },
    { id: "state", header: t("finding.gap.after"), cell: ({ state }) => <Code>{state}</Code> },
    { id: "policy", header: t("finding.gap.policy"), cell: ({ policy }) => <Code>{policy}</Code> },
    {
      id: "actions",
      header: t("field.actions"),
      isActions: true,
      cell: (gap) => (
        <Button size="xs" variant="light" onClick={() => ask({ form: "answer", gap })}>
          {t("finding.answer.open")}
        </Button>
      ),
    },
  ];
}

function useRulingColumns(): Column<UsageRuling>[] {
  const { t } = useTranslation();
  return [
    {
      id: "resource",
      header: t("finding.column.resource"),
      isTitle: true,
      cell: ({ kind, resource_id, state }) => (
        <Text size="sm" style={{ overflowWrap: "anywhere" }}>
          {kind} {resource_id}: {state}
        </Text>
      ),
    },
    { id: "told", header: t("explain.told"), cell: ({ told_at }) => <Instant at={told_at} /> },
    {
      id: "ruling",
      header: t("finding.ruling.ruling"),
      cell: ({ ruling }) => t(`finding.verdict.${ruling === "take" ? "take" : "drop"}`),
    },
    {
      id: "counts",
      header: t("explain.counts"),
      cell: ({ counts_at }) => (counts_at ? <Instant at={counts_at} /> : <Nothing />),
    },
    { id: "reason", header: t("finding.reason"), cell: ({ reason }) => reason },
    { id: "ruled", header: t("finding.ruling.at"), cell: ({ ruled_at }) => <When at={ruled_at} /> },
  ];
}
