import { Box, SimpleGrid, Text } from "@mantine/core";
import type { ReactNode } from "react";

export type Fact = readonly [name: string, value: ReactNode];

/** Names and values of one thing. */
export function Facts({ facts, cols = 3 }: { facts: readonly Fact[]; cols?: number }) {
  return (
    <SimpleGrid
      component="dl"
      cols={{ base: 1, xs: 2, md: cols }}
      spacing="lg"
      verticalSpacing="md"
      m={0}
    >
      {facts.map(([name, value]) => (
        <Box key={name} miw={0}>
          <Text component="dt" size="xs" c="dimmed" fw={550}>
            {name}
          </Text>
          <Text component="dd" size="sm" m={0} mt={2} style={{ overflowWrap: "anywhere" }}>
            {value}
          </Text>
        </Box>
      ))}
    </SimpleGrid>
  );
}
