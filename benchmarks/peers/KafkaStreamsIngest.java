import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Pattern;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** The ingest job on Kafka Streams: two state stores with changelogs, JDBC batches, one thread. */
public final class KafkaStreamsIngest {
    static final int ROWS = 5_000;
    static final Duration WINDOW = Duration.ofMillis(250);
    static final long AMOUNT = 2_500_000L;
    static final long DEBITS = 4_000_000L;
    static final long DAY_MICROS = 86_400_000_000L;
    static final String OPENED = "bank.account.opened.v1";
    static final String POSTED = "bank.account.transaction_posted.v1";
    static final ObjectMapper JSON = new ObjectMapper();

    /** A record that belongs into quarantine. */
    static final class Refused extends Exception {
        Refused(String reason) {
            super(reason, null, false, false);
        }
    }

    /** One fact; amounts in ten-thousandths of the currency unit. */
    record Event(
            String id, String client, OffsetDateTime time, long amount, String side, long balance) {
        private static final Pattern MONEY = Pattern.compile("-?[0-9]{1,14}(\\.[0-9]{1,4})?");

        static Event decode(String key, byte[] value) throws Refused {
            JsonNode envelope;
            try {
                envelope = JSON.readTree(value);
            } catch (IOException error) {
                throw new Refused("UNPARSABLE");
            }
            JsonNode data = envelope.path("data");
            String type = text(envelope, "type");
            if (!text(envelope, "specversion").equals("1.0")) throw new Refused("SPECVERSION");
            if (!text(envelope, "partitionkey").equals(key)) throw new Refused("KEY_MISMATCH");
            if (!text(envelope, "subject").equals("account/" + text(data, "account_id")))
                throw new Refused("SUBJECT_MISMATCH");
            text(envelope, "source");
            text(data, "currency");
            try {
                OffsetDateTime time = OffsetDateTime.parse(text(envelope, "time"));
                OffsetDateTime.parse(text(envelope, "recordedtime"));
                LocalDate.parse(text(data, "business_date"));
                String id = text(envelope, "id");
                if (type.equals(OPENED)) return new Event(id, key, time, 0, "CRDT", 0);
                if (!type.equals(POSTED)) throw new Refused("UNKNOWN_TYPE");
                OffsetDateTime.parse(text(data, "booking_datetime"));
                text(data, "transaction_id");
                String side = text(data, "credit_debit_indicator");
                return new Event(id, key, time, money(data, "amount"), side,
                        money(data, "balance_after"));
            } catch (DateTimeException error) {
                throw new Refused("TIME_FORMAT");
            }
        }

        private static String text(JsonNode node, String name) throws Refused {
            String found = node.path(name).textValue();
            if (found == null) throw new Refused("SCHEMA");
            return found;
        }

        private static long money(JsonNode node, String name) throws Refused {
            String written = text(node, name);
            if (!MONEY.matcher(written).matches()) throw new Refused("SCHEMA");
            int point = written.indexOf('.');
            int decimals = point < 0 ? 0 : written.length() - point - 1;
            return Long.parseLong(written.replace(".", "") + "0".repeat(4 - decimals));
        }
    }

    /** What is known of one client; times in microseconds since 1970. */
    static final class State {
        long n;
        long balance;
        long lowest = 1L << 60;
        long debits;
        final ArrayDeque<long[]> window = new ArrayDeque<>();

        static State read(byte[] stored) {
            State state = new State();
            if (stored == null) return state;
            ByteBuffer from = ByteBuffer.wrap(stored);
            state.n = from.getLong();
            state.balance = from.getLong();
            state.lowest = from.getLong();
            state.debits = from.getLong();
            while (from.hasRemaining()) {
                state.window.add(new long[] {from.getLong(), from.getLong()});
            }
            return state;
        }

        byte[] write() {
            ByteBuffer to = ByteBuffer.allocate(32 + 16 * window.size());
            to.putLong(n).putLong(balance).putLong(lowest).putLong(debits);
            for (long[] debit : window) to.putLong(debit[0]).putLong(debit[1]);
            return to.array();
        }

        String windowText() {
            StringBuilder text = new StringBuilder("[");
            for (long[] debit : window) {
                if (text.length() > 1) text.append(", ");
                text.append('[').append(debit[0] / 1e6).append(", ").append(debit[1]).append(']');
            }
            return text.append(']').toString();
        }

        void fold(Event event, List<Object[]> alerts) {
            long at = event.time.toEpochSecond() * 1_000_000 + event.time.getNano() / 1_000;
            n++;
            balance = event.balance;
            if (balance < lowest) {
                if (balance < 0 && lowest >= 0) alerts.add(alert("OVERDRAWN", event, balance));
                lowest = balance;
            }
            while (!window.isEmpty() && window.peek()[0] <= at - DAY_MICROS) {
                debits -= window.poll()[1];
            }
            if (!event.side.equals("DBIT")) return;
            window.add(new long[] {at, event.amount});
            long before = debits;
            debits += event.amount;
            if (before <= DEBITS && DEBITS < debits) alerts.add(alert("DEBITS", event, debits));
            if (event.amount > AMOUNT) alerts.add(alert("AMOUNT", event, event.amount));
        }

        private static Object[] alert(String rule, Event event, long value) {
            return new Object[] {rule, event.client, event.id, value, event.time};
        }
    }

    /** Rows of all tasks of the one thread, written in one transaction. */
    static final class Rows {
        private final Connection connection;
        private final List<Object[]> events = new ArrayList<>();
        private final List<Object[]> alerts = new ArrayList<>();
        private final List<Object[]> refused = new ArrayList<>();
        private final Map<String, State> states = new HashMap<>();
        private long taken;
        private long nextCommit;

        Rows(String jdbc) throws SQLException {
            connection = DriverManager.getConnection(jdbc);
            connection.setAutoCommit(false);
        }

        void flush() {
            if (taken == 0) return;
            try {
                insert("INSERT INTO plain.events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                        + " ON CONFLICT DO NOTHING", events);
                insert("INSERT INTO plain.quarantine VALUES (?, ?, ?, ?)"
                        + " ON CONFLICT DO NOTHING", refused);
                insert("INSERT INTO plain.alerts (rule, client, event_id, value, time)"
                        + " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", alerts);
                List<Object[]> rows = new ArrayList<>();
                states.forEach((client, s) -> rows.add(new Object[] {
                    client, s.n, s.balance, s.lowest, s.debits, s.windowText()
                }));
                insert("INSERT INTO plain.state VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (client)"
                        + " DO UPDATE SET n = excluded.n, balance = excluded.balance,"
                        + " lowest = excluded.lowest, debits = excluded.debits,"
                        + " window_rows = excluded.window_rows", rows);
                insert("UPDATE plain.offsets SET off = off + ? WHERE part = 0",
                        List.<Object[]>of(new Object[] {taken}));
                connection.commit();
            } catch (SQLException error) {
                throw new IllegalStateException(error);
            }
            List.of(events, alerts, refused).forEach(Collection::clear);
            states.clear();
            taken = 0;
        }

        private void insert(String sql, List<Object[]> rows) throws SQLException {
            if (rows.isEmpty()) return;
            try (PreparedStatement statement = connection.prepareStatement(sql)) {
                for (Object[] row : rows) {
                    for (int i = 0; i < row.length; i++) statement.setObject(i + 1, row[i]);
                    statement.addBatch();
                }
                statement.executeBatch();
            }
        }
    }

    /** One partition. */
    static final class Ingest implements Processor<String, byte[], Void, Void> {
        private final Rows rows;
        private boolean touched;
        private ProcessorContext<Void, Void> context;
        private KeyValueStore<String, byte[]> seen;
        private KeyValueStore<String, byte[]> clients;

        Ingest(Rows rows) {
            this.rows = rows;
        }

        @Override
        public void init(ProcessorContext<Void, Void> given) {
            context = given;
            seen = given.getStateStore("seen");
            clients = given.getStateStore("clients");
            given.schedule(WINDOW, PunctuationType.WALL_CLOCK_TIME, this::commit);
        }

        /**
         * Offsets are committed on request only, right after the rows: a commit by the clock would
         * let go of records whose rows are still in memory. One request commits every task.
         */
        private void commit(long now) {
            if (!touched || now < rows.nextCommit) return;
            rows.flush();
            context.commit();
            touched = false;
            rows.nextCommit = now + WINDOW.toMillis() / 2;
        }

        @Override
        public void process(Record<String, byte[]> record) {
            RecordMetadata place = context.recordMetadata().orElseThrow();
            touched = true;
            rows.taken++;
            try {
                take(Event.decode(record.key(), record.value()), place, record.value());
            } catch (Refused refused) {
                rows.refused.add(new Object[] {
                    place.partition(), place.offset(), refused.getMessage(), record.value()
                });
            }
            if (rows.taken >= ROWS) rows.flush();
        }

        private void take(Event event, RecordMetadata place, byte[] value) {
            if (seen.putIfAbsent(event.id, new byte[0]) != null) return;
            State state = State.read(clients.get(event.client));
            state.fold(event, rows.alerts);
            clients.put(event.client, state.write());
            rows.states.put(event.client, state);
            rows.events.add(new Object[] {
                place.partition(), place.offset(), event.id, event.client, event.time,
                event.amount, event.side, event.balance, value
            });
        }
    }

    private static Topology topology(JsonNode asked, Rows rows) {
        Topology topology = new Topology();
        topology.addSource("read", Serdes.String().deserializer(),
                Serdes.ByteArray().deserializer(), asked.get("topic").textValue());
        topology.addProcessor("ingest", () -> new Ingest(rows), "read");
        for (String name : List.of("seen", "clients")) {
            KeyValueBytesStoreSupplier store = asked.get("option").textValue().equals("memory")
                    ? Stores.inMemoryKeyValueStore(name)
                    : Stores.persistentKeyValueStore(name);
            topology.addStateStore(
                    Stores.keyValueStoreBuilder(store, Serdes.String(), Serdes.ByteArray()),
                    "ingest");
        }
        return topology;
    }

    public static void main(String[] arguments) throws Exception {
        JsonNode asked = JSON.readTree(arguments[0]);
        Properties settings = new Properties();
        settings.put("application.id", asked.get("group").textValue());
        settings.put("bootstrap.servers", asked.get("bootstrap").textValue());
        settings.put("state.dir", asked.get("folder").textValue());
        settings.put("processing.guarantee", "at_least_once");
        settings.put("num.stream.threads", "1");
        settings.put("auto.offset.reset", "earliest");
        settings.put("max.poll.records", String.valueOf(ROWS));
        settings.put("commit.interval.ms", String.valueOf(Duration.ofDays(365).toMillis()));
        Rows rows = new Rows(asked.get("jdbc").textValue());
        KafkaStreams streams = new KafkaStreams(topology(asked, rows), settings);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.start();
    }
}
