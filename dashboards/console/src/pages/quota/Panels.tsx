// A tenant's quota and its requests, as panels of the pages that show them.
import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconAdjustmentsUp } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { pendingQuotaRequestsQuery, quotaQuery, quotaRequestsQuery } from "../../api/queries";
import { Dialog } from "../../components/FormDialog";
import { Panel } from "../../components/Panel";
import { Problem } from "../../components/Problem";
import { QueryView } from "../../components/QueryView";
import { QuotaList } from "../../components/QuotaList";
import { AskForm } from "./AskForm";
import { RequestTable } from "./RequestTable";

/** What a member's tenant has, and the way to more. */
export function OwnQuotaPanel({ tenantId }: { tenantId: string }) {
  const { t } = useTranslation();
  const query = useQuery(quotaQuery(tenantId));
  const [asking, { open, close }] = useDisclosure();
  return (
    <Panel
      title={t("quota.title")}
      aside={
        <Button
          size="xs"
          variant="default"
          leftSection={<IconAdjustmentsUp size={15} aria-hidden />}
          onClick={open}
        >
          {t("quota.ask.open")}
        </Button>
      }
    >
      <QueryView query={query} lines={4}>
        {(items) => (
          <>
            <QuotaList items={items} />
            <Dialog title={t("quota.ask.title")} opened={asking} onClose={close}>
              <AskForm items={items} onClose={close} />
            </Dialog>
          </>
        )}
      </QueryView>
    </Panel>
  );
}

/** What a tenant asked for; nothing where it never asked. */
export function TenantRequests({ tenantId }: { tenantId: string }) {
  const { t } = useTranslation();
  const { data, error } = useQuery(quotaRequestsQuery(tenantId));
  if (error) return <Problem error={error} />;
  if (!data || data.length === 0) return null;
  return (
    <Panel title={t("quota.request.title")} flush>
      <RequestTable label={t("quota.request.title")} requests={data} />
    </Panel>
  );
}

/** What waits for an operator; nothing where nothing does. */
export function WaitingRequests() {
  const { t } = useTranslation();
  const { data, error } = useQuery(pendingQuotaRequestsQuery);
  if (error) return <Problem error={error} />;
  if (!data || data.length === 0) return null;
  return (
    <Panel title={t("quota.request.waiting")} flush>
      <RequestTable label={t("quota.request.waiting")} requests={data} ofAll />
    </Panel>
  );
}
