import { Box, Group, Paper, Title, type PaperProps } from "@mantine/core";
import { useId, type ReactNode } from "react";

interface Props extends PaperProps {
  title?: string;
  /** At the right of the title. */
  aside?: ReactNode;
  /** The content reaches the edges: for tables. */
  flush?: boolean;
  children: ReactNode;
}

/** A section of a page, named by its title. */
export function Panel({ title, aside, flush = false, children, ...rest }: Props) {
  const id = useId();
  return (
    <Paper
      component="section"
      withBorder
      aria-labelledby={title ? id : undefined}
      style={{ overflow: "hidden" }}
      {...rest}
    >
      {title && (
        <Group justify="space-between" gap="xs" px="md" pt="md" pb={flush ? "sm" : 0} mih={36}>
          <Title order={2} size="h5" id={id}>
            {title}
          </Title>
          {aside}
        </Group>
      )}
      {flush ? children : <Box p="md">{children}</Box>}
    </Paper>
  );
}
