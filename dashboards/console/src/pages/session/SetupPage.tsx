// The one-time link that the server prints at its first start, or an operator hands on.
import { Button, PasswordInput, Stack } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { useSetup } from "../../api/actions";
import { ApiError } from "../../api/problem";
import { showAtField } from "../../components/formErrors";
import { TextLink } from "../../components/links";
import { Problem } from "../../components/Problem";
import { AuthFrame } from "./AuthFrame";

/** What the server asks for. */
const SHORTEST_PASSWORD = 10;

export function SetupPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { token } = useSearch({ from: "/setup" });
  const setup = useSetup();
  const form = useForm({
    initialValues: { password: "", repeated: "" },
    validate: {
      password: (value) =>
        value.length < SHORTEST_PASSWORD
          ? t("setup.tooShort", { characters: SHORTEST_PASSWORD })
          : null,
      repeated: (value, values) => (value === values.password ? null : t("setup.different")),
    },
  });
  if (!token) {
    const error = new ApiError("invalid", 400, t("setup.noToken"), t("setup.noTokenRemedy"));
    return (
      <AuthFrame title={t("setup.title")} hint={t("setup.hint")}>
        <Stack gap="md" align="flex-start">
          <Problem error={error} />
          <TextLink to="/login">{t("login.title")}</TextLink>
        </Stack>
      </AuthFrame>
    );
  }
  const submit = form.onSubmit(({ password }) =>
    setup.mutate(
      { token, password },
      {
        onSuccess: () => void navigate({ to: "/", replace: true }),
        onError: (error) => showAtField(form, error),
      },
    ),
  );
  const toggle = { "aria-label": t("login.showPassword") };
  return (
    <AuthFrame title={t("setup.title")} hint={t("setup.hint")}>
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          <PasswordInput
            label={t("setup.password")}
            autoComplete="new-password"
            visibilityToggleButtonProps={toggle}
            {...form.getInputProps("password")}
          />
          <PasswordInput
            label={t("setup.repeated")}
            autoComplete="new-password"
            visibilityToggleButtonProps={toggle}
            {...form.getInputProps("repeated")}
          />
          <Problem error={setup.error} />
          <Button type="submit" fullWidth loading={setup.isPending}>
            {t("setup.submit")}
          </Button>
        </Stack>
      </form>
    </AuthFrame>
  );
}
