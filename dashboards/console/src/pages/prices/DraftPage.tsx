// A draft: edited as JSON, checked, published.
import { Alert, Button, Group, List, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useDisclosure } from "@mantine/hooks";
import { IconAlertTriangle, IconCircleCheck, IconCircleX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { lazy, useState } from "react";
import { useTranslation } from "react-i18next";
import {
  useCheckPriceDraft,
  useDiscardPriceDraft,
  usePublishPriceDraft,
  useReplacePriceDraft,
} from "../../api/actions";
import { flavorsQuery, priceBooksQuery, priceDraftQuery } from "../../api/queries";
import type { Flavor, PriceCheck, PriceDraft } from "../../api/types";
import { CodeField } from "../../components/editor/CodeField";
import { Dialog, DialogForm } from "../../components/FormDialog";
import { showAtField } from "../../components/formErrors";
import { notifyDone, notifyProblem } from "../../components/notify";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { Problem } from "../../components/Problem";
import { QueryView } from "../../components/QueryView";
import { StatusBadge } from "../../components/StatusBadge";
import { useConfirm } from "../../components/useConfirm";
import { checkedAs } from "./checks";
import { fromText, toText } from "./document";
import { RateTable } from "./RateTable";
import { SimulatePanel } from "./SimulatePanel";
import { TaxLine } from "./TaxLine";

const Editor = lazy(() => import("../../components/editor/YamlEditor"));

export function DraftPage() {
  const { id } = useParams({ from: "/app/prices/drafts/$id" });
  const query = useQuery(priceDraftQuery(id));
  const flavors = useQuery(flavorsQuery);
  return (
    <QueryView query={query}>
      {(draft) => (
        <QueryView query={flavors}>
          {(known) => <Details draft={draft} flavors={known} />}
        </QueryView>
      )}
    </QueryView>
  );
}

function Details({ draft, flavors }: { draft: PriceDraft; flavors: readonly Flavor[] }) {
  const { t } = useTranslation();
  const books = useQuery(priceBooksQuery);
  const book = books.data?.find(({ id }) => id === draft.price_book_id);
  const state = checkedAs(draft);
  return (
    <>
      <PageHeader
        title={t("price.draft.of", { name: book?.name ?? draft.price_book_id.slice(0, 8) })}
        badge={<StatusBadge kind="price_draft" value={state} size="lg" />}
        back={{
          label: book?.name ?? t("nav.prices"),
          render: (props) => (
            <Link to="/prices/$id" params={{ id: draft.price_book_id }} {...props} />
          ),
        }}
        actions={<DraftActions draft={draft} />}
      />
      <Stack gap="lg">
        <Checks draft={draft} />
        <EditorPanel key={draft.id} draft={draft} flavors={flavors} />
        <SimulatePanel draftId={draft.id} />
        <Panel
          title={t("price.rates")}
          aside={<TaxLine tax={draft.document.tax} />}
          flush
        >
          <RateTable label={t("price.rates")} rates={draft.document.rates} />
        </Panel>
      </Stack>
    </>
  );
}

function DraftActions({ draft }: { draft: PriceDraft }) {
  const { t } = useTranslation();
  const confirm = useConfirm();
  const navigate = useNavigate();
  const check = useCheckPriceDraft(draft.id, draft.price_book_id);
  const discard = useDiscardPriceDraft(draft.price_book_id);
  const [publishing, { open, close }] = useDisclosure();
  const state = checkedAs(draft);
  const toBook = () => navigate({ to: "/prices/$id", params: { id: draft.price_book_id } });
  const askDiscard = () =>
    confirm({
      title: t("price.draft.discardTitle"),
      consequence: t("price.draft.discardConsequence"),
      confirm: t("price.draft.discard"),
      danger: true,
      onConfirm: () =>
        discard.mutate(draft.id, { onSuccess: () => void toBook(), onError: notifyProblem }),
    });
  return (
    <>
      <Button variant="default" color="red" loading={discard.isPending} onClick={askDiscard}>
        {t("price.draft.discard")}
      </Button>
      <Button
        variant="default"
        loading={check.isPending}
        onClick={() => check.mutate(undefined, { onError: notifyProblem })}
      >
        {t("price.draft.check")}
      </Button>
      <Button disabled={state === "unchecked" || state === "errors"} onClick={open}>
        {t("price.draft.publish")}
      </Button>
      <Dialog title={t("price.draft.publishTitle")} opened={publishing} onClose={close}>
        <PublishForm draft={draft} onClose={close} onDone={() => void toBook()} />
      </Dialog>
    </>
  );
}

function Checks({ draft }: { draft: PriceDraft }) {
  const { t } = useTranslation();
  const state = checkedAs(draft);
  if (state === "unchecked") return null;
  if (state === "sound") {
    return (
      <Alert color="teal" icon={<IconCircleCheck size={20} aria-hidden />}>
        {t("price.check.sound")}
      </Alert>
    );
  }
  const of = (severity: PriceCheck["severity"]) =>
    draft.checks.filter((check) => check.severity === severity);
  return (
    <Stack gap="sm">
      <Found checks={of("error")} title={t("price.check.errors")} isError />
      <Found checks={of("warning")} title={t("price.check.warnings")} />
    </Stack>
  );
}

interface FoundProps {
  checks: readonly PriceCheck[];
  title: string;
  isError?: boolean;
}

function Found({ checks, title, isError = false }: FoundProps) {
  if (checks.length === 0) return null;
  const Mark = isError ? IconCircleX : IconAlertTriangle;
  return (
    <Alert
      color={isError ? "red" : "yellow"}
      title={title}
      icon={<Mark size={20} aria-hidden />}
      role={isError ? "alert" : "status"}
    >
      <List size="sm">
        {checks.map(({ code, rate, message }) => (
          <List.Item key={`${code} ${rate ?? ""} ${message}`}>{message}</List.Item>
        ))}
      </List>
    </Alert>
  );
}

/** What was typed stays when somebody else saves: it is for its author to drop. */
function EditorPanel({ draft, flavors }: { draft: PriceDraft; flavors: readonly Flavor[] }) {
  const { t } = useTranslation();
  const textOf = (of: PriceDraft) => toText(of.document, flavors);
  /** What the text began as. */
  const [base, setBase] = useState(draft);
  const saved = textOf(base);
  const [text, setText] = useState(saved);
  const begin = (of: PriceDraft) => {
    setBase(of);
    setText(textOf(of));
  };
  const moved = draft.revision > base.revision;
  if (moved && text === saved) begin(draft);
  const replace = useReplacePriceDraft(draft.id, draft.price_book_id);
  const document = fromText(text, flavors);
  const save = () => {
    if (!document) return;
    replace.mutate(
      { document, revision: base.revision },
      {
        onSuccess: (its) => {
          begin(its);
          notifyDone(t("price.draft.saved"));
        },
      },
    );
  };
  const revert = () => {
    replace.reset();
    begin(draft);
  };
  return (
    <Panel title={t("price.draft.document")}>
      <Stack gap="sm">
        <CodeField
          label={t("price.draft.json")}
          description={t("price.draft.jsonHint")}
          error={document ? undefined : t("price.draft.jsonWrong")}
        >
          {(ids) => <Editor {...ids} value={text} onChange={setText} />}
        </CodeField>
        {moved && (
          <Alert color="yellow" icon={<IconAlertTriangle size={20} aria-hidden />}>
            {t("price.draft.moved", { revision: draft.revision })}
          </Alert>
        )}
        <Problem error={replace.error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" disabled={text === saved && !moved} onClick={revert}>
            {t("price.draft.revert")}
          </Button>
          <Button
            loading={replace.isPending}
            disabled={text === saved || document === null}
            onClick={save}
          >
            {t("action.save")}
          </Button>
        </Group>
      </Stack>
    </Panel>
  );
}

interface PublishProps {
  draft: PriceDraft;
  onClose: () => void;
  onDone: () => void;
}

function PublishForm({ draft, onClose, onDone }: PublishProps) {
  const { t } = useTranslation();
  const publish = usePublishPriceDraft(draft.id, draft.price_book_id);
  const form = useForm({ initialValues: { effective_at: "", correction: "" } });
  const submit = form.onSubmit(({ effective_at, correction }) =>
    publish.mutate(
      {
        effective_at: effective_at === "" ? undefined : new Date(effective_at).toISOString(),
        correction: correction.trim() || undefined,
      },
      {
        onSuccess: ({ number }) => {
          notifyDone(t("price.draft.published", { number }));
          onClose();
          onDone();
        },
        onError: (error) => showAtField(form, error),
      },
    ),
  );
  return (
    <DialogForm
      submit={t("price.draft.publish")}
      onSubmit={submit}
      onCancel={onClose}
      pending={publish.isPending}
      error={publish.error}
    >
      <Text size="sm">{t("price.draft.publishConsequence")}</Text>
      <TextInput
        type="datetime-local"
        step={1}
        label={t("price.version.effective")}
        description={t("price.draft.effectiveHint")}
        {...form.getInputProps("effective_at")}
      />
      <Textarea
        label={t("price.draft.correction")}
        description={t("price.draft.correctionHint")}
        autosize
        maxRows={6}
        {...form.getInputProps("correction")}
      />
    </DialogForm>
  );
}
