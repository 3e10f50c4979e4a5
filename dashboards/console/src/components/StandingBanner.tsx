// Tells a tenant how its account stands, before it is too late and after.
import { Alert, Anchor } from "@mantine/core";
import { IconAlertTriangle, IconHandStop } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { balanceQuery } from "../api/queries";
import type { Balance } from "../api/types";
import { formatDuration } from "../format/time";
import { useNow } from "./useNow";

const TICK_MS = 1_000;

export function StandingBanner({ tenantId }: { tenantId: string }) {
  const balance = useQuery(balanceQuery(tenantId));
  return balance.data ? <StandingNotice balance={balance.data} /> : null;
}

export function StandingNotice({ balance }: { balance: Balance }) {
  const { t } = useTranslation();
  const text = useStandingText(balance);
  if (text === null) return null;
  const warned = balance.standing === "warned";
  return (
    <Alert
      role="alert"
      color={warned ? "yellow" : "red"}
      icon={warned ? <IconAlertTriangle size={20} /> : <IconHandStop size={20} />}
      title={text}
      mb="lg"
      className="no-print"
    >
      {t(`standing.remedy.${warned ? "warned" : "cut"}`)}{" "}
      <Anchor size="sm" fw={550} renderRoot={(props) => <Link to="/billing" {...props} />}>
        {t("standing.look")}
      </Anchor>
    </Alert>
  );
}

/** In a sentence; null while all is well. */
export function useStandingText(balance: Balance): string | null {
  const { t, i18n } = useTranslation();
  const now = useNow(TICK_MS);
  const { standing, runs_out_at } = balance;
  if (standing === "active") return null;
  if (standing !== "warned") return t(`standing.text.${standing}`);
  const left = runs_out_at ? Date.parse(runs_out_at) - now : 0;
  return t("standing.text.warned", { within: formatDuration(left, i18n.language) });
}
