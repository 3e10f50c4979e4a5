// What a period cost by the values of a label that somebody picks.
import { Button, Group, Select, Text } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { costLabelsQuery, costsQuery } from "../../api/queries";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { CostTable } from "./CostTable";

interface Props {
  tenantId: string;
  from: string;
  to: string;
}

export function LabelCosts({ tenantId, from, to }: Props) {
  const { t } = useTranslation();
  const [picked, setPicked] = useState<string | null>(null);
  const labels = useQuery(costLabelsQuery(tenantId, from, to));
  const known = labels.data ?? [];
  const label = picked !== null && known.includes(picked) ? picked : known[0];
  const asked = new URLSearchParams({ tenant_id: tenantId, from, to, group: "label" });
  if (label) asked.set("label", label);
  return (
    <Panel
      title={t("cost.byLabel")}
      flush
      aside={
        label && (
          <Group gap="xs" className="no-print">
            <Select
              size="xs"
              aria-label={t("cost.label")}
              data={known}
              value={label}
              onChange={setPicked}
              allowDeselect={false}
              searchable
              nothingFoundMessage={t("common.nothingFound")}
            />
            <Button
              component="a"
              href={`/v1/costs.csv?${asked.toString()}`}
              download
              size="xs"
              variant="default"
              aria-label={t("cost.csvOf", { label })}
              leftSection={<IconDownload size={15} aria-hidden />}
            >
              {t("bill.csv")}
            </Button>
          </Group>
        )
      }
    >
      <QueryView query={labels} lines={3}>
        {() =>
          label ? (
            <Values {...{ tenantId, from, to, label }} />
          ) : (
            <Text size="sm" c="dimmed" px="md" pb="md">
              {t("cost.noLabels")}
            </Text>
          )
        }
      </QueryView>
    </Panel>
  );
}

function Values({ tenantId, from, to, label }: Props & { label: string }) {
  const { t } = useTranslation();
  const query = useQuery(costsQuery(tenantId, from, to, "label", label));
  return (
    <QueryView query={query} lines={3}>
      {(report) => (
        <CostTable
          label={t("cost.byLabel")}
          head={label}
          report={report}
          unnamed={t("cost.noLabel")}
        />
      )}
    </QueryView>
  );
}
