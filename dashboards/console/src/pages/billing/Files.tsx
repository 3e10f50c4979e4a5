// An invoice or a credit note as files, in the reader's language where they have words.
import { Anchor, Group } from "@mantine/core";
import { useTranslation } from "react-i18next";

export const INVOICE_FORMATS = ["html", "pdf", "csv", "json"] as const;
export const NOTE_FORMATS = ["html", "pdf"] as const;

interface Props {
  /** `/v1/invoices/ID`. */
  of: string;
  formats: readonly string[];
  /** What a link is, by the format that it has. */
  labelOf: (format: string) => string;
}

export function Files({ of, formats, labelOf }: Props) {
  const { i18n } = useTranslation();
  const language = i18n.language.startsWith("zh") ? "zh-CN" : "en";
  const asked = new URLSearchParams({ language }).toString();
  return (
    <Group gap="sm" wrap="nowrap">
      {formats.map((format) => (
        <Anchor
          key={format}
          size="sm"
          href={`${of}/files/${format}?${asked}`}
          download
          aria-label={labelOf(format.toUpperCase())}
        >
          {format.toUpperCase()}
        </Anchor>
      ))}
    </Group>
  );
}
