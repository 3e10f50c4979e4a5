// A PromQL expression: written, run, drawn, read. The server decides whose series it sees.
import { Box, Button, Group, SegmentedControl, Stack, Text } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { lazy, useState } from "react";
import { useTranslation } from "react-i18next";
import { CodeField } from "../../components/editor/CodeField";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { useMe } from "../../shell/me";
import { EXAMPLES } from "./examples";
import { RangePicker } from "./RangePicker";
import { Results } from "./Results";
import { VIEWS, type QuerySearch } from "./search";

const PromqlEditor = lazy(() => import("../../components/editor/PromqlEditor"));

const nowS = () => Date.now() / 1_000;

export function MetricsPage() {
  const { t } = useTranslation();
  const { isOperator } = useMe();
  const search = useSearch({ from: "/app/query" });
  const navigate = useNavigate({ from: "/query" });
  // The same expression that is run again is asked for at another instant.
  const [askedS, setAskedS] = useState(nowS);
  const go = (next: QuerySearch) => {
    setAskedS(nowS());
    void navigate({ search: next });
  };
  const view = search.view ?? "graph";
  return (
    <>
      <PageHeader
        title={t("nav.query")}
        description={isOperator ? t("query.about") : t("query.aboutOwn")}
      />
      <Stack gap="lg">
        <Panel>
          <QueryForm search={search} onRun={go} />
        </Panel>
        {search.expr !== undefined && (
          <Panel
            title={t("query.result")}
            aside={
              <SegmentedControl
                size="xs"
                value={view}
                onChange={(next) => go({ ...search, view: next })}
                aria-label={t("query.view.label")}
                data={VIEWS.map((value) => ({ value, label: t(`query.view.${value}`) }))}
              />
            }
          >
            <Results expr={search.expr} view={view} search={search} askedS={askedS} />
          </Panel>
        )}
      </Stack>
    </>
  );
}

interface FormProps {
  search: QuerySearch;
  onRun: (search: QuerySearch) => void;
}

function QueryForm({ search, onRun }: FormProps) {
  const { t } = useTranslation();
  const { expr = "" } = search;
  const [draft, setDraft] = useState(expr);
  const [shown, setShown] = useState(expr);
  if (shown !== expr) {
    // Another address brings along another expression.
    setShown(expr);
    setDraft(expr);
  }
  const run = () => onRun({ ...search, expr: draft.trim() === "" ? undefined : draft });
  return (
    <Stack gap="sm">
      <CodeField label={t("query.expr")} description={t("query.exprHint")}>
        {(ids) => (
          <PromqlEditor
            {...ids}
            value={draft}
            onChange={setDraft}
            onRun={run}
            placeholder={t("query.placeholder")}
          />
        )}
      </CodeField>
      <Group align="flex-end" justify="space-between" gap="sm">
        <RangePicker
          key={`${search.range} ${search.end} ${search.step}`}
          search={search}
          onChange={(span) => onRun({ ...search, ...span })}
        />
        <Button leftSection={<IconPlayerPlay size={16} aria-hidden />} onClick={run}>
          {t("query.run")}
        </Button>
      </Group>
      {expr === "" && <Examples onChoose={(expr) => onRun({ ...search, expr })} />}
    </Stack>
  );
}

function Examples({ onChoose }: { onChoose: (expr: string) => void }) {
  const { t } = useTranslation();
  const { isOperator } = useMe();
  const shown = EXAMPLES.filter(({ operators }) => isOperator || !operators);
  return (
    <Box>
      <Text size="sm" fw={500} mb={6}>
        {t("query.examples")}
      </Text>
      <Group gap="xs">
        {shown.map(({ key, expr }) => (
          <Button
            key={key}
            size="compact-sm"
            variant="default"
            onClick={() => onChoose(expr)}
            title={expr}
          >
            {t(`query.example.${key}`)}
          </Button>
        ))}
      </Group>
    </Box>
  );
}
