import { ActionIcon, Group, Menu, Text, Tooltip, useMantineColorScheme } from "@mantine/core";
import {
  IconBroadcast,
  IconCheck,
  IconDeviceDesktop,
  IconLanguage,
  IconLogout,
  IconMoon,
  IconPlugConnected,
  IconPlugConnectedX,
  IconSun,
  IconUserCircle,
} from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { useLogout } from "../api/actions";
import type { Liveness } from "../api/events";
import { LANGUAGES, setLanguage, type Language } from "../i18n";
import { useMe } from "./me";

const SCHEMES = { light: IconSun, dark: IconMoon, auto: IconDeviceDesktop } as const;
type Scheme = keyof typeof SCHEMES;

export function LanguageMenu() {
  const { t, i18n } = useTranslation();
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <Tooltip label={t("shell.language")}>
          <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t("shell.language")}>
            <IconLanguage size={20} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
      </Menu.Target>
      <Menu.Dropdown>
        {(Object.keys(LANGUAGES) as Language[]).map((language) => (
          <Menu.Item
            key={language}
            lang={language}
            onClick={() => setLanguage(language)}
            rightSection={i18n.language === language && <IconCheck size={14} aria-hidden />}
          >
            {LANGUAGES[language]}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

export function SchemeMenu() {
  const { t } = useTranslation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const Current = SCHEMES[colorScheme];
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <Tooltip label={t("shell.scheme.label")}>
          <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t("shell.scheme.label")}>
            <Current size={20} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
      </Menu.Target>
      <Menu.Dropdown>
        {(Object.keys(SCHEMES) as Scheme[]).map((scheme) => {
          const Mark = SCHEMES[scheme];
          return (
            <Menu.Item
              key={scheme}
              leftSection={<Mark size={16} aria-hidden />}
              rightSection={colorScheme === scheme && <IconCheck size={14} aria-hidden />}
              onClick={() => setColorScheme(scheme)}
            >
              {t(`shell.scheme.${scheme}`)}
            </Menu.Item>
          );
        })}
      </Menu.Dropdown>
    </Menu>
  );
}

export function UserMenu() {
  const { t } = useTranslation();
  const me = useMe();
  const logout = useLogout();
  return (
    <Menu position="bottom-end" withinPortal width={220}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t("shell.user")}>
          <IconUserCircle size={22} stroke={1.6} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <Text size="sm" fw={600} truncate>
            {me.name}
          </Text>
          <Text size="xs" c="dimmed" truncate>
            {me.isOperator ? t("role.operator") : me.tenant_name}
          </Text>
        </Menu.Label>
        <Menu.Divider />
        <Menu.Item
          leftSection={<IconLogout size={16} aria-hidden />}
          onClick={() => logout.mutate()}
        >
          {t("shell.logout")}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

const LIVENESS = {
  connecting: { color: "gray", icon: IconPlugConnected },
  live: { color: "teal", icon: IconBroadcast },
  lost: { color: "orange", icon: IconPlugConnectedX },
} as const;

/** Whether what is shown follows what happens. */
export function LiveMark({ liveness }: { liveness: Liveness }) {
  const { t } = useTranslation();
  const { color, icon: Mark } = LIVENESS[liveness];
  return (
    <Tooltip label={t(`shell.live.${liveness}Hint`)} multiline maw={260}>
      <Group gap={6} wrap="nowrap" role="status" px={6}>
        <Mark
          size={18}
          stroke={1.7}
          aria-hidden
          color={`var(--mantine-color-${color}-6)`}
          className={liveness === "live" ? "live-mark" : undefined}
        />
        <Text size="xs" c="dimmed" visibleFrom="sm">
          {t(`shell.live.${liveness}`)}
        </Text>
      </Group>
    </Tooltip>
  );
}
