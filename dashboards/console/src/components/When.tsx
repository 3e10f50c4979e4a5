import { Text, Tooltip } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { formatDuration, formatInstant, formatRelative } from "../format/time";
import { useNow } from "./useNow";

const REFRESH_MS = 5_000;

/** "3 minutes ago", with the instant itself at hand. */
export function When({ at }: { at: string | null | undefined }) {
  const { i18n } = useTranslation();
  const now = useNow(REFRESH_MS);
  if (!at) return <Nothing />;
  return (
    <Tooltip label={formatInstant(at, i18n.language)}>
      <time dateTime={at} style={{ whiteSpace: "nowrap" }}>
        {formatRelative(at, now, i18n.language)}
      </time>
    </Tooltip>
  );
}

export function Instant({ at }: { at: string | null | undefined }) {
  const { i18n } = useTranslation();
  if (!at) return <Nothing />;
  return <time dateTime={at}>{formatInstant(at, i18n.language)}</time>;
}

export function Duration({ ms }: { ms: number | null | undefined }) {
  const { i18n } = useTranslation();
  if (ms === null || ms === undefined) return <Nothing />;
  return <span style={{ whiteSpace: "nowrap" }}>{formatDuration(ms, i18n.language)}</span>;
}

/** Stands where there is no value. */
export function Nothing() {
  const { t } = useTranslation();
  return (
    <Text span c="dimmed" aria-label={t("common.none")}>
      {"\u2013"}
    </Text>
  );
}
