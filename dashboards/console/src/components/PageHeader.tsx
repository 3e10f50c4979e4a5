import { Anchor, Group, Stack, Text, Title } from "@mantine/core";
import { IconChevronLeft } from "@tabler/icons-react";
import { useEffect, type ReactNode } from "react";

interface Props {
  title: string;
  description?: ReactNode;
  badge?: ReactNode;
  actions?: ReactNode;
  /** The list this page belongs to. */
  back?: { label: string; render: (props: object) => ReactNode };
}

export function PageHeader({ title, description, badge, actions, back }: Props) {
  useEffect(() => {
    document.title = `${title} \u00b7 OpsHawk`;
  }, [title]);
  return (
    <Stack gap={4} mb="lg">
      {back && (
        <Anchor size="sm" c="dimmed" w="fit-content" className="no-print" renderRoot={back.render}>
          <Group gap={2} component="span">
            <IconChevronLeft size={15} aria-hidden />
            {back.label}
          </Group>
        </Anchor>
      )}
      <Group justify="space-between" align="flex-start" gap="sm">
        <Group gap="sm" miw={0}>
          <Title order={1} size="h2" style={{ overflowWrap: "anywhere" }}>
            {title}
          </Title>
          {badge}
        </Group>
        {actions && (
          <Group gap="xs" className="no-print">
            {actions}
          </Group>
        )}
      </Group>
      {description && (
        <Text c="dimmed" size="sm" maw={720}>
          {description}
        </Text>
      )}
    </Stack>
  );
}
