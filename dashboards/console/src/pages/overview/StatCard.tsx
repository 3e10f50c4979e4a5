import { Group, Paper, Text, ThemeIcon } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { Icon } from "@tabler/icons-react";
import type { ReactNode } from "react";

interface Props {
  to: string;
  icon: Icon;
  title: string;
  /** The figure, once it is known. */
  value: ReactNode;
  hint: ReactNode;
  color?: string;
}

/** A figure that leads to its page. */
export function StatCard({ to, icon: Mark, title, value, hint, color = "hawk" }: Props) {
  return (
    <Paper
      withBorder
      p="md"
      className="stat-card"
      renderRoot={(props) => <Link to={to} {...props} />}
    >
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <div>
          <Text size="sm" c="dimmed" fw={550}>
            {title}
          </Text>
          <Text fz={28} fw={680} lh={1.25} className="figures">
            {value}
          </Text>
        </div>
        <ThemeIcon variant="light" color={color} size={38} radius="md">
          <Mark size={21} stroke={1.6} aria-hidden />
        </ThemeIcon>
      </Group>
      <Text size="xs" c="dimmed" mt={2}>
        {hint}
      </Text>
    </Paper>
  );
}
