// What stands around every page: brand, navigation, who one is, and how the account stands.
import {
  AppShell,
  Burger,
  Group,
  NavLink,
  ScrollArea,
  Stack,
  Text,
  UnstyledButton,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useLocation, useRouter } from "@tanstack/react-router";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useLiveness } from "../api/events";
import { meQuery } from "../api/queries";
import type { Me } from "../api/types";
import { HawkMark } from "../components/HawkMark";
import { StandingBanner } from "../components/StandingBanner";
import { LanguageMenu, LiveMark, SchemeMenu, UserMenu } from "./HeaderMenus";
import { MeContext } from "./me";
import { MEMBER_NAV, OPERATOR_NAV, type NavGroup } from "./nav";

export function AppFrame() {
  const { data: me } = useQuery(meQuery);
  const router = useRouter();
  const ended = !me;
  useEffect(() => {
    // The session has ended, here or elsewhere: the route's guard then leads to the login page.
    if (ended) void router.invalidate();
  }, [ended, router]);
  if (!me) return null;
  return (
    <MeContext value={me}>
      <Frame me={me} />
    </MeContext>
  );
}

function Frame({ me }: { me: Me }) {
  const { t } = useTranslation();
  const [opened, { toggle, close }] = useDisclosure();
  const liveness = useLiveness(useQueryClient());
  const { pathname } = useLocation();
  useEffect(close, [pathname, close]);
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 232, breakpoint: "sm", collapsed: { mobile: !opened } }}
      padding={{ base: "md", md: "lg" }}
    >
      <a href="#main" className="skip-link">
        {t("shell.skip")}
      </a>
      <AppShell.Header className="no-print">
        <Group h="100%" px="md" justify="space-between" wrap="nowrap" gap="xs">
          <Group gap="xs" wrap="nowrap">
            <Burger
              opened={opened}
              onClick={toggle}
              hiddenFrom="sm"
              size="sm"
              aria-label={opened ? t("shell.closeNav") : t("shell.openNav")}
              aria-expanded={opened}
            />
            <UnstyledButton renderRoot={(props) => <Link to="/" {...props} />}>
              <Group gap={10} wrap="nowrap">
                <HawkMark size={30} />
                <Text fw={700} size="lg" lts="-0.02em" component="span">
                  {t("brand.name")}
                </Text>
              </Group>
            </UnstyledButton>
          </Group>
          <Group gap={4} wrap="nowrap">
            <LiveMark liveness={liveness} />
            <LanguageMenu />
            <SchemeMenu />
            <UserMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="sm" className="no-print" aria-label={t("shell.nav")}>
        <AppShell.Section grow component={ScrollArea} type="never">
          <Navigation groups={me.role === "operator" ? OPERATOR_NAV : MEMBER_NAV} path={pathname} />
        </AppShell.Section>
      </AppShell.Navbar>
      <AppShell.Main id="main" className="main">
        <div className="page">
          {me.tenant_id && <StandingBanner tenantId={me.tenant_id} />}
          <Outlet />
        </div>
      </AppShell.Main>
    </AppShell>
  );
}

const isAt = (path: string, to: string) =>
  path === to || (to !== "/" && path.startsWith(`${to}/`));

function Navigation({ groups, path }: { groups: readonly NavGroup[]; path: string }) {
  const { t } = useTranslation();
  return (
    <Stack gap="md">
      {groups.map((group) => (
        <Stack gap={2} key={group.key ?? "first"}>
          {group.key && (
            <Text size="xs" fw={600} c="dimmed" px="sm" mb={2}>
              {t(`navGroup.${group.key}`)}
            </Text>
          )}
          {group.items.map(({ to, also, key, icon: Mark }) => {
            const active = isAt(path, to) || (also !== undefined && isAt(path, also));
            return (
              <NavLink
                key={to}
                label={t(`nav.${key}`)}
                active={active}
                aria-current={active ? "page" : undefined}
                leftSection={<Mark size={19} stroke={1.6} aria-hidden />}
                style={{ borderRadius: "var(--mantine-radius-md)" }}
                renderRoot={(props) => <Link to={to} {...props} />}
              />
            );
          })}
        </Stack>
      ))}
    </Stack>
  );
}
