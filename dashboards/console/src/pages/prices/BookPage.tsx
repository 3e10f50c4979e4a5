// A book: its versions, what one of them prices, and the drafts of the next.
import { Button, Stack, Text } from "@mantine/core";
import { IconHistory, IconPencil, IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCreatePriceDraft } from "../../api/actions";
import { priceBooksQuery, priceDraftsQuery } from "../../api/queries";
import type { PriceBook, PriceDraft, PriceVersion } from "../../api/types";
import { DataTable, type Column } from "../../components/DataTable";
import { Empty } from "../../components/Empty";
import { TextLink } from "../../components/links";
import { notifyProblem } from "../../components/notify";
import { PageHeader } from "../../components/PageHeader";
import { Panel } from "../../components/Panel";
import { QueryView } from "../../components/QueryView";
import { StatusBadge } from "../../components/StatusBadge";
import { useNow } from "../../components/useNow";
import { useTenantName } from "../../components/useNames";
import { Instant, Nothing, When } from "../../components/When";
import { MissingPage } from "../MissingPage";
import { checkedAs } from "./checks";
import { RateTable } from "./RateTable";
import { TaxLine } from "./TaxLine";
import { inForce, stateOf } from "./versions";

const REFRESH_MS = 60_000;

export function BookPage() {
  const { id } = useParams({ from: "/app/prices/$id" });
  const query = useQuery(priceBooksQuery);
  return (
    <QueryView query={query}>
      {(books) => {
        const book = books.find((other) => other.id === id);
        return book ? <Details book={book} /> : <MissingPage />;
      }}
    </QueryView>
  );
}

function Details({ book }: { book: PriceBook }) {
  const { t } = useTranslation();
  const tenantName = useTenantName();
  const navigate = useNavigate();
  const create = useCreatePriceDraft(book.id);
  const now = useNow(REFRESH_MS);
  const [chosen, choose] = useState<string | null>(null);
  const shown =
    book.versions.find(({ id }) => id === chosen) ?? inForce(book.versions, now) ?? book.versions[0];
  const begin = () =>
    create.mutate(undefined, {
      onSuccess: ({ id }) => void navigate({ to: "/prices/drafts/$id", params: { id } }),
      onError: notifyProblem,
    });
  const owner = book.tenant_id
    ? t("price.book.ownOf", { name: tenantName(book.tenant_id) })
    : t("price.book.anybody");
  return (
    <>
      <PageHeader
        title={book.name}
        description={`${book.currency} \u00b7 ${owner}`}
        back={{ label: t("nav.prices"), render: (props) => <Link to="/prices" {...props} /> }}
        actions={
          <Button
            leftSection={<IconPlus size={17} aria-hidden />}
            loading={create.isPending}
            onClick={begin}
          >
            {t("price.draft.create")}
          </Button>
        }
      />
      <Stack gap="lg">
        <DraftsPanel bookId={book.id} />
        <VersionsPanel versions={book.versions} now={now} onChoose={choose} />
        {shown && (
          <Panel
            title={t("price.version.rates", { number: shown.number })}
            aside={<TaxLine tax={shown.tax} />}
            flush
          >
            <RateTable
              label={t("price.version.rates", { number: shown.number })}
              rates={shown.rates}
            />
          </Panel>
        )}
      </Stack>
    </>
  );
}

function DraftsPanel({ bookId }: { bookId: string }) {
  const { t } = useTranslation();
  const query = useQuery(priceDraftsQuery(bookId));
  const columns: Column<PriceDraft>[] = [
    {
      id: "draft",
      header: t("price.draft.one"),
      isTitle: true,
      cell: ({ id, revision }) => (
        <TextLink to="/prices/drafts/$id" params={{ id }} fw={600} size="sm">
          {t("price.draft.revision", { revision })}
        </TextLink>
      ),
    },
    {
      id: "state",
      header: t("field.state"),
      cell: (draft) => <StatusBadge kind="price_draft" value={checkedAs(draft)} />,
    },
    { id: "actor", header: t("price.by"), cell: ({ actor }) => actor },
    {
      id: "updated",
      header: t("price.draft.updated"),
      cell: ({ updated_at }) => <When at={updated_at} />,
    },
  ];
  return (
    <Panel title={t("price.draft.title")} flush>
      <QueryView query={query} lines={2}>
        {(drafts) => (
          <DataTable
            label={t("price.draft.title")}
            columns={columns}
            rows={drafts}
            rowId={({ id }) => id}
            empty={
              <Empty
                icon={IconPencil}
                title={t("price.draft.empty")}
                hint={t("price.draft.emptyHint")}
              />
            }
          />
        )}
      </QueryView>
    </Panel>
  );
}

interface VersionsProps {
  versions: readonly PriceVersion[];
  now: number;
  onChoose: (id: string) => void;
}

function VersionsPanel({ versions, now, onChoose }: VersionsProps) {
  const { t } = useTranslation();
  const columns: Column<PriceVersion>[] = [
    {
      id: "number",
      header: t("price.version.one"),
      isTitle: true,
      cell: ({ number }) => t("price.version.number", { number }),
    },
    {
      id: "state",
      header: t("field.state"),
      cell: (version) => (
        <StatusBadge kind="price_version" value={stateOf(version, versions, now)} />
      ),
    },
    {
      id: "effective",
      header: t("price.version.effective"),
      cell: ({ effective_at }) => <Instant at={effective_at} />,
    },
    {
      id: "reason",
      header: t("price.version.correction"),
      cell: ({ kind, reason }) =>
        kind === "correction" ? (
          <Text size="sm" maw={320} style={{ overflowWrap: "anywhere" }}>
            {reason}
          </Text>
        ) : (
          <Nothing />
        ),
    },
    {
      id: "actions",
      header: t("field.actions"),
      isActions: true,
      cell: ({ id, number }) => (
        <Button
          size="xs"
          variant="default"
          onClick={() => onChoose(id)}
          aria-label={t("price.version.showNamed", { number })}
        >
          {t("price.version.show")}
        </Button>
      ),
    },
  ];
  return (
    <Panel title={t("price.version.title")} flush>
      <DataTable
        label={t("price.version.title")}
        columns={columns}
        rows={versions.toReversed()}
        rowId={({ id }) => id}
        empty={
          <Empty
            icon={IconHistory}
            title={t("price.version.empty")}
            hint={t("price.version.emptyHint")}
          />
        }
      />
    </Panel>
  );
}
