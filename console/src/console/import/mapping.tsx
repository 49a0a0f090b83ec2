import { NativeSelect, Table, Text } from '@mantine/core';
import { t } from '../../shared/i18n.ts';
import { type Field, type FileContent, fields, type Mapping, textOf, toRow } from './rows.ts';

/** Which column of the file becomes which field, with what the first row has there. */
export function MappingTable({
  content,
  mapping,
  change,
  isDisabled,
}: {
  content: FileContent;
  mapping: Mapping;
  change: (mapping: Mapping) => void;
  isDisabled: boolean;
}) {
  const example = toRow(content.records[0] ?? {}, mapping);
  function choose(field: Field, column: string): void {
    const { [field]: _, ...others } = mapping;
    change(column === '' ? others : { ...others, [field]: column });
  }
  return (
    <Table.ScrollContainer minWidth={300} type="native">
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">{t('users:import.field')}</Table.Th>
            <Table.Th scope="col">{t('users:import.column')}</Table.Th>
            <Table.Th scope="col">{t('users:import.example')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {fields.map((field) => (
            <Table.Tr key={field}>
              <Table.Th scope="row" fw={400}>
                {t(`users:import.field_names.${field}`)}
              </Table.Th>
              <Table.Td>
                <NativeSelect
                  aria-label={t(`users:import.field_names.${field}`)}
                  size="xs"
                  miw={90}
                  disabled={isDisabled}
                  value={mapping[field] ?? ''}
                  onChange={(event) => choose(field, event.currentTarget.value)}
                  data={[
                    { value: '', label: t('users:import.none') },
                    ...content.columns.map((column) => ({ value: column, label: column })),
                  ]}
                />
              </Table.Td>
              <Table.Td>
                <Text size="sm" maw={220} truncate>
                  {textOf(example[field])}
                </Text>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
