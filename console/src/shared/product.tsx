import { Group, Image, NativeSelect, Text } from '@mantine/core';
import { config } from './config.ts';
import { changeLanguage, language, languages, t } from './i18n.ts';

/** The product's logo and name, as the settings have them. */
export function Product() {
  const { name, logo_url } = config.product;
  return (
    <Group gap="xs" wrap="nowrap" miw={0}>
      {logo_url !== null && <Image src={logo_url} alt="" h={28} w="auto" fit="contain" />}
      <Text fw={700} size="lg" truncate>
        {name}
      </Text>
    </Group>
  );
}

export function LanguagePicker() {
  return (
    <NativeSelect
      aria-label={t('language')}
      size="xs"
      value={language}
      onChange={(event) => changeLanguage(event.currentTarget.value)}
      data={Object.entries(languages).map(([value, label]) => ({ value, label }))}
    />
  );
}
