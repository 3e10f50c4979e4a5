import { Box, Center, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useEffect, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { HawkMark } from "../../components/HawkMark";
import { LanguageMenu, SchemeMenu } from "../../shell/HeaderMenus";

interface Props {
  title: string;
  hint: string;
  children: ReactNode;
}

/** What stands around the pages for those who are not logged in. */
export function AuthFrame({ title, hint, children }: Props) {
  const { t } = useTranslation();
  useEffect(() => {
    document.title = `${title} \u00b7 OpsHawk`;
  }, [title]);
  return (
    <Box className="auth" component="main">
      <Group justify="flex-end" p="sm" gap={4}>
        <LanguageMenu />
        <SchemeMenu />
      </Group>
      <Center px="md" pt="7vh" pb="xl">
        <Stack w="100%" maw={400} gap="lg">
          <Group gap="sm" justify="center">
            <HawkMark size={44} />
            <div>
              <Text fw={700} fz={24} lh={1.1} lts="-0.02em">
                {t("brand.name")}
              </Text>
              <Text size="sm" c="dimmed">
                {t("brand.claim")}
              </Text>
            </div>
          </Group>
          <Paper withBorder shadow="sm" p="lg" radius="lg">
            <Title order={1} size="h3">
              {title}
            </Title>
            <Text size="sm" c="dimmed" mt={4} mb="md">
              {hint}
            </Text>
            {children}
          </Paper>
        </Stack>
      </Center>
    </Box>
  );
}
