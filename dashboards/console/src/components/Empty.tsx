import { Stack, Text, ThemeIcon } from "@mantine/core";
import type { Icon } from "@tabler/icons-react";
import type { ReactNode } from "react";

interface Props {
  icon: Icon;
  title: string;
  hint?: string;
  action?: ReactNode;
}

/** Where a list has nothing: what would stand there, and how to get it. */
export function Empty({ icon: Mark, title, hint, action }: Props) {
  return (
    <Stack align="center" gap="xs" py={44} px="md">
      <ThemeIcon size={52} radius="xl" variant="light" color="gray">
        <Mark size={26} stroke={1.5} aria-hidden />
      </ThemeIcon>
      <Text fw={600} mt={4}>
        {title}
      </Text>
      {hint && (
        <Text c="dimmed" size="sm" ta="center" maw={420}>
          {hint}
        </Text>
      )}
      {action}
    </Stack>
  );
}
