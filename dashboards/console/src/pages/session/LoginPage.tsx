import { Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { useLogin } from "../../api/actions";
import { Problem } from "../../components/Problem";
import { AuthFrame } from "./AuthFrame";

export function LoginPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const { next } = useSearch({ from: "/login" });
  const login = useLogin();
  const form = useForm({
    initialValues: { login: "", password: "" },
    validate: {
      login: (value) => (value.trim() === "" ? t("login.loginMissing") : null),
      password: (value) => (value === "" ? t("login.passwordMissing") : null),
    },
  });
  const submit = form.onSubmit((values) =>
    login.mutate(
      { login: values.login.trim(), password: values.password },
      { onSuccess: () => void navigate({ to: next ?? "/", replace: true }) },
    ),
  );
  return (
    <AuthFrame title={t("login.title")} hint={t("login.hint")}>
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          <TextInput
            label={t("login.login")}
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            data-autofocus
            {...form.getInputProps("login")}
          />
          <PasswordInput
            label={t("login.password")}
            autoComplete="current-password"
            visibilityToggleButtonProps={{ "aria-label": t("login.showPassword") }}
            {...form.getInputProps("password")}
          />
          <Problem error={login.error} />
          <Button type="submit" fullWidth loading={login.isPending}>
            {t("login.submit")}
          </Button>
        </Stack>
      </form>
    </AuthFrame>
  );
}
