import { Center, Container, Skeleton, Stack } from "@mantine/core";
import { IconMapQuestion } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { Empty } from "../components/Empty";
import { ButtonLink } from "../components/links";
import { Problem } from "../components/Problem";

/** An address that is no page. */
export function MissingPage() {
  const { t } = useTranslation();
  return (
    <Center component="main" mih="60vh">
      <Empty
        icon={IconMapQuestion}
        title={t("missing.title")}
        hint={t("missing.hint")}
        action={
          <ButtonLink to="/" mt="xs" variant="light">
            {t("missing.back")}
          </ButtonLink>
        }
      />
    </Center>
  );
}

/** A page that could not be drawn: most often the server does not answer. */
export function FailedPage({ error, reset }: { error: unknown; reset: () => void }) {
  return (
    <Container component="main" size="xs" pt="15vh">
      <Stack>
        <Problem error={error} onRetry={reset} />
      </Stack>
    </Container>
  );
}

/** A page whose script is still on its way. */
export function PendingPage() {
  const { t } = useTranslation();
  return (
    <Stack role="status" aria-label={t("common.loading")}>
      <Skeleton height={32} width={240} />
      <Skeleton height={280} />
    </Stack>
  );
}
