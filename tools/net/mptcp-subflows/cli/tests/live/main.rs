// SPDX-License-Identifier: GPL-2.0

//! The program on the running kernel.

mod helper;
mod list;
mod machine;
mod obstacles;
mod program;
mod scale;
mod traffic;
mod watch;

use testkit::Need::{ExtraSubflows, Fast, Ipv6, Linux, Mptcp, Program, Root, Seccomp};
use testkit::Suite;

fn main() {
    if let Some(role) = helper::role() {
        return helper::play(&role);
    }
    let mut suite = Suite::new();
    let mut add = |needs: &[testkit::Need], name, test| suite.add(needs, name, test);
    let live = [Mptcp, Root];

    add(&live, "every_connection_is_listed", list::every_connection);
    add(
        &[Mptcp, Root, ExtraSubflows(64)],
        "65_subflows_are_listed",
        list::sixty_five_subflows,
    );
    add(
        &live,
        "what_is_no_connection_is_not_listed",
        list::no_connection,
    );
    add(&live, "filters_choose", list::filters);
    add(&live, "fallbacks_have_facts", list::fallback);
    add(&live, "processes_are_chosen", list::processes);
    add(&live, "names_are_cut_as_the_kernel_does", list::long_name);
    add(&live, "other_namespaces", list::namespaces);
    add(
        &[Mptcp, Root, Ipv6],
        "v4_mapped_addresses_are_ipv4",
        list::v4_mapped,
    );
    add(&live, "a_report_fits", list::width);
    add(&live, "colors_are_for_terminals", list::colors);
    add(&live, "nothing_there_is_status_1", list::nothing);

    add(&live, "no_privileges_are_needed", obstacles::no_privileges);
    add(
        &[Mptcp, Root, Seccomp],
        "no_descriptor_is_duplicated",
        obstacles::no_duplicates,
    );
    add(
        &live,
        "a_process_that_refuses_is_status_2",
        obstacles::refused,
    );
    add(&live, "hidden_processes", obstacles::hidden_processes);
    add(
        &[Mptcp, Root, Seccomp],
        "without_netlink_descriptors_are_read",
        obstacles::no_netlink,
    );
    add(
        &[Mptcp, Root, Seccomp],
        "without_netlink_and_duplicates_is_status_2",
        obstacles::no_netlink_and_duplicates,
    );
    add(
        &live,
        "a_main_thread_that_has_ended",
        obstacles::main_thread_ended,
    );
    add(
        &[Mptcp, Root, Seccomp, Linux(6, 9)],
        "a_main_thread_that_has_ended_without_netlink",
        obstacles::main_thread_ended_without_netlink,
    );

    add(&live, "a_path_that_is_cut", watch::a_path_that_is_cut);
    add(&live, "events_of_a_path", watch::events_of_a_path);
    add(&live, "rates_and_shares", watch::rates_and_shares);
    add(&live, "a_watch_draws_in_place", watch::in_place);
    add(
        &live,
        "a_watch_ends_with_the_process",
        watch::ends_with_the_process,
    );

    add(&live, "errors_are_lines_of_json", machine::errors);
    add(
        &[Mptcp, Root, Program("promtool")],
        "promtool_accepts_the_metrics",
        machine::promtool,
    );
    add(&live, "metrics_are_bounded", machine::metrics_are_bounded);
    add(&live, "a_textfile_is_complete", machine::textfile);
    add(&[], "man_pages_and_completions", machine::generated);

    add(
        &[Mptcp, Root, Program("ss"), Fast],
        "the_list_is_that_of_ss",
        scale::the_list_is_that_of_ss,
    );
    add(
        &[Mptcp, Root, Seccomp],
        "few_descriptors_suffice",
        scale::few_descriptors,
    );

    add(
        &live,
        "send_sees_every_subflow",
        traffic::send_sees_every_subflow,
    );
    add(
        &live,
        "send_misses_a_subflow",
        traffic::send_misses_a_subflow,
    );
    add(
        &[Mptcp],
        "send_moves_what_was_asked_for",
        traffic::send_moves_what_was_asked_for,
    );
    add(
        &[Mptcp],
        "send_runs_out_of_time",
        traffic::send_runs_out_of_time,
    );
    add(
        &[Mptcp],
        "send_waits_for_the_peer",
        traffic::send_waits_for_the_peer,
    );
    add(&[Mptcp], "send_has_no_peer", traffic::send_has_no_peer);
    add(
        &[Mptcp],
        "send_has_a_tcp_peer",
        traffic::send_has_a_tcp_peer,
    );
    add(
        &[Mptcp],
        "send_loses_the_peer",
        traffic::send_loses_the_peer,
    );
    add(&[Mptcp], "hosts_have_names", traffic::hosts_have_names);
    add(
        &[Mptcp],
        "serve_refuses_to_call_tcp_mptcp",
        traffic::serve_refuses_to_call_tcp_mptcp,
    );
    add(
        &[Mptcp],
        "serve_address_in_use",
        traffic::serve_address_in_use,
    );
    add(
        &[Mptcp],
        "reader_of_stdout_goes_away",
        traffic::reader_of_stdout_goes_away,
    );
    add(&[], "wrong_arguments", traffic::wrong_arguments);
    suite.run()
}
