import java.sql.*;

/** What pgJDBC gets: arguments are URLs; each is asked who answers, and then
 * for a sleep that its query timeout cancels. */
public class Jdbc {
    public static void main(String[] urls) throws Exception {
        for (String url : urls) {
            try (Connection c = DriverManager.getConnection(url, "postgres", "p");
                    Statement s = c.createStatement()) {
                ResultSet r = s.executeQuery(
                        "SELECT host(inet_server_addr()), pg_is_in_recovery()");
                r.next();
                String who = r.getString(1) + "|" + r.getString(2);
                s.setQueryTimeout(2);
                String said = "slept";
                try {
                    s.execute("SELECT pg_sleep(30)");
                } catch (SQLException e) {
                    said = e.getMessage();
                }
                System.out.println(who + "|" + said);
            }
        }
    }
}
