import { Text, type TextProps } from "@mantine/core";
import { formatAmount, isNegative } from "../format/money";

interface Props extends TextProps {
  /** A decimal string, as the ledger has it. */
  value: string;
  currency: string;
  /** Balances are read to four decimals, bills to the ledger's six. */
  digits?: number;
}

export function Amount({ value, currency, digits = 4, ...rest }: Props) {
  return (
    <Text
      span
      className="figures"
      c={isNegative(value) ? "var(--mantine-color-error)" : undefined}
      {...rest}
    >
      {formatAmount(value, digits)}
      <Text span c="dimmed" fz="0.8em" ml="0.35em">
        {currency}
      </Text>
    </Text>
  );
}
