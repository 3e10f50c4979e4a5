// Why an operator does it: a few lines, which are kept.
import { Textarea, type TextareaProps } from "@mantine/core";

export function ReasonField(props: TextareaProps) {
  return <Textarea withAsterisk autosize maxRows={6} {...props} />;
}
