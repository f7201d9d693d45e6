/* The section vip: what a shell reads of it, and what is wrong in it. */
#include "unit.h"

#include "conf.h"
#include "conf_text.h"

/* What a shell reads of the address and its hosts. */
static void vip(void **state)
{
	static const struct {
		const char *text, *said;
	} t[] = {
	    {"", ""},
	    {"vip { address = none }", ""},
	    {"vip { address = \"192.168.34.85/24\" nic = eth0 }",
		"address=192.168.34.85\nprefix=24\nnic=eth0\n"},
	    {"vip { address = \"fd00::85/64\" nic = bond0.5\n"
	     " hosts = { hap1, hap2.example }\n}",
		"address=fd00::85\nprefix=64\nnic=bond0.5\n"
		"hosts=hap1 hap2.example\n"},
	    {"vip { hosts = hap1 }", "hosts=hap1\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char text[256], *said = NULL;
		size_t len = 0;
		FILE *f = open_memstream(&said, &len);
		struct conf *c;

		(void)snprintf(text, sizeof(text), MAIN WRITE "%s", t[i].text);
		c = must_parse(text);
		conf_print_vip(c, f);
		assert_int_equal(fclose(f), 0);
		assert_string_equal(said, t[i].said);
		conf_free(c);
		free(said);
	}
}

static void broken_vip(void **state)
{
#define CIDR                                                                \
	" is not possible, expected ADDRESS/PREFIX, both numeric, such as " \
	"192.168.34.85/24, or none"
	static const struct {
		const char *text, *sentence;
	} t[] = {
	    {MAIN WRITE "vip { address = vip }",
		"t.conf:3: vip.address: \"vip\"" CIDR},
	    {MAIN WRITE "vip { address = \"10.0.0.1\" }",
		"t.conf:3: vip.address: \"10.0.0.1\"" CIDR},
	    {MAIN WRITE "vip { address = \"10.0.0.1/33\" }",
		"t.conf:3: vip.address: \"10.0.0.1/33\"" CIDR},
	    {MAIN WRITE "vip { address = \"10.0.0.1/0\" }",
		"t.conf:3: vip.address: \"10.0.0.1/0\"" CIDR},
	    {MAIN WRITE "vip { address = \"fd00::1/129\" }",
		"t.conf:3: vip.address: \"fd00::1/129\"" CIDR},
	    {MAIN WRITE "vip {\n address = \"10.0.0.1/24\"\n}",
		"t.conf:4: vip.nic: missing, expected the network interface "
		"of vip.address"},
	    {MAIN WRITE "vip {\n nic = eth0\n}",
		"t.conf:4: vip.nic: alone, expected vip.address beside it"},
	    {MAIN WRITE "vip {\n hosts = { a,\n a }\n}",
		"t.conf:5: vip.hosts: a stands there twice, expected each "
		"host once"},
	    {MAIN WRITE "vip { hosts = \"a b\" }",
		"t.conf:3: vip.hosts: \"a b\" is not possible, expected a name "
		"of letters, digits, '.', '_' and '-'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_sentence(t[i].text, t[i].sentence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vip),
	    cmocka_unit_test(broken_vip),
	};

	return cmocka_run_group_tests_name("conf_vip", tests, NULL, NULL);
}
