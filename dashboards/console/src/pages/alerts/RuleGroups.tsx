// Rules as Prometheus writes them, a group at a time.
import {
  Button,
  Code,
  Group,
  Paper,
  ScrollArea,
  Stack,
  Text,
  TextInput,
  Title,
} from "@mantine/core";
import { useForm } from "@mantine/form";
import { IconListDetails, IconPencil, IconPlus, IconTrash } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { lazy, useState } from "react";
import { useTranslation } from "react-i18next";
import { useDeleteRuleGroup, usePutRuleGroup } from "../../api/actions";
import { ruleGroupsQuery } from "../../api/queries";
import type { RuleGroup } from "../../api/types";
import { CodeField } from "../../components/editor/CodeField";
import { Empty } from "../../components/Empty";
import { Dialog, DialogForm } from "../../components/FormDialog";
import { showAtField } from "../../components/formErrors";
import { notifyDone, notifyProblem } from "../../components/notify";
import { QueryView } from "../../components/QueryView";
import { useConfirm } from "../../components/useConfirm";
import { When } from "../../components/When";

const YamlEditor = lazy(() => import("../../components/editor/YamlEditor"));

const EXAMPLE = `groups:
  - name: guests
    rules:
      - alert: GuestCpuHigh
        expr: rate(libvirt_domain_info_cpu_time_seconds_total[1m]) > 0.8
        for: 1m
        labels:
          severity: warning
        annotations:
          summary: "{{ $labels.domain }} keeps its CPU busy"
`;

/** Groups of this source were set over the API; others stand in files and are changed there. */
const FROM_API = "api";

type Edited = { name: string; rules: string; isNew: boolean };

export function RuleGroups() {
  const { t } = useTranslation();
  const query = useQuery(ruleGroupsQuery);
  const [edited, setEdited] = useState<Edited | null>(null);
  const close = () => setEdited(null);
  return (
    <Stack>
      <Group justify="flex-end">
        <Button
          leftSection={<IconPlus size={17} aria-hidden />}
          onClick={() => setEdited({ name: "guests", rules: EXAMPLE, isNew: true })}
        >
          {t("rule.add")}
        </Button>
      </Group>
      <QueryView query={query} lines={6}>
        {(groups) =>
          groups.length === 0 ? (
            <Paper withBorder>
              <Empty icon={IconListDetails} title={t("rule.empty")} hint={t("rule.emptyHint")} />
            </Paper>
          ) : (
            groups.map((group) => (
              <RuleGroupCard
                key={group.name}
                group={group}
                onEdit={() => setEdited({ ...group, isNew: false })}
              />
            ))
          )
        }
      </QueryView>
      <Dialog
        title={edited?.isNew ? t("rule.add") : t("rule.edit", { name: edited?.name ?? "" })}
        opened={edited !== null}
        onClose={close}
        size="xl"
      >
        {edited && <RuleGroupForm edited={edited} onClose={close} />}
      </Dialog>
    </Stack>
  );
}

function RuleGroupCard({ group, onEdit }: { group: RuleGroup; onEdit: () => void }) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const remove = useDeleteRuleGroup();
  const { name, source, rules, updated_at } = group;
  const askRemove = () =>
    confirm({
      title: t("rule.confirmDelete.title", { name }),
      consequence: t("rule.confirmDelete.consequence"),
      confirm: t("action.delete"),
      danger: true,
      onConfirm: () => remove.mutate(name, { onError: notifyProblem }),
    });
  return (
    <Paper withBorder component="section" aria-label={name}>
      <Group justify="space-between" p="md" pb="sm">
        <div>
          <Title order={2} size="h5">
            {name}
          </Title>
          <Text size="xs" c="dimmed">
            {source} {"\u00b7"} <When at={updated_at} />
          </Text>
        </div>
        {source === FROM_API && (
          <Group gap="xs">
            <Button
              size="xs"
              variant="default"
              leftSection={<IconPencil size={14} aria-hidden />}
              onClick={onEdit}
            >
              {t("action.edit")}
            </Button>
            <Button
              size="xs"
              variant="light"
              color="red"
              leftSection={<IconTrash size={14} aria-hidden />}
              loading={remove.isPending}
              onClick={askRemove}
            >
              {t("action.delete")}
            </Button>
          </Group>
        )}
      </Group>
      <ScrollArea.Autosize
        mah={360}
        viewportProps={{ tabIndex: 0, role: "region", "aria-label": name }}
      >
        <Code block style={{ borderRadius: 0 }}>
          {rules}
        </Code>
      </ScrollArea.Autosize>
    </Paper>
  );
}

function RuleGroupForm({ edited, onClose }: { edited: Edited; onClose: () => void }) {
  const { t } = useTranslation();
  const put = usePutRuleGroup();
  const form = useForm({
    initialValues: { name: edited.name, rules: edited.rules },
    validate: {
      name: (value) => (value.trim() === "" ? t("form.nameMissing") : null),
      rules: (value) => (value.trim() === "" ? t("rule.missing") : null),
    },
  });
  const submit = form.onSubmit(({ name, rules }) =>
    put.mutate(
      { name: name.trim(), rules },
      {
        onSuccess: (group) => {
          notifyDone(t("rule.done", { name: group.name }));
          onClose();
        },
        onError: (error) => showAtField(form, error),
      },
    ),
  );
  return (
    <DialogForm
      submit={t("action.save")}
      onSubmit={submit}
      onCancel={onClose}
      pending={put.isPending}
      error={put.error}
    >
      <TextInput
        label={t("field.name")}
        withAsterisk
        disabled={!edited.isNew}
        {...form.getInputProps("name")}
      />
      <CodeField
        label={t("rule.yaml")}
        description={t("rule.yamlHint")}
        withAsterisk
        error={form.errors.rules}
      >
        {(ids) => (
          <YamlEditor
            {...ids}
            value={form.values.rules}
            onChange={(rules) => form.setFieldValue("rules", rules)}
          />
        )}
      </CodeField>
    </DialogForm>
  );
}
