//! Process groups, shared with `pg` of real nodes.

use beamway::etf::NodePid;
use beamway::node::Groups;
use beamway::node::Message;
use beamway::term;

use super::PATIENCE;
use super::Site;
use super::receive;
use super::until;
use crate::harness::Carrier;

cases! {
    control: groups_are_shared_with_pg, scopes_are_apart_and_watched_from_there;
    bridge: ;
    vm: groups_are_shared_with_pg;
}

fn groups_are_shared_with_pg(carrier: Carrier) {
    let mut site = Site::of(carrier);
    let node = site.native("native");
    let beam = site.beam_name();
    site.beam
        .eval("{ok, _} = pg:start(pg), register(worker, spawn(fun() -> receive stop -> ok end end)), ok");
    site.beam.eval("pg:join(workers, whereis(worker))");
    site.run(&node, async |mut context| {
        let groups = Groups::start(&node, "pg");
        node.connect(&beam).await.expect("a connection");
        let own = context.pid().clone();
        until(async || groups.members(&mut context, term!(workers)).await.unwrap().len() == 1).await;
        groups.join(&mut context, term!(workers), &own).await.unwrap();
        until(async || {
            let members = context
                .rpc(&beam, "pg", "get_members", vec![term!(workers)], PATIENCE)
                .await;
            members.unwrap().as_list().unwrap().len() == 2
        })
        .await;
        let members = groups.members(&mut context, term!(workers)).await.unwrap();
        let worker = members.iter().find(|pid| pid.node != own.node).unwrap().clone();
        context.monitor(&worker);
        context.send(&worker, term!(stop)).await.unwrap();
        assert!(matches!(receive(&mut context).await, Message::Down { .. }));
        until(async || groups.members(&mut context, term!(workers)).await.unwrap() == [own.clone()]).await;
        assert_eq!(groups.leave(&mut context, term!(workers), &own).await, Ok(true));
        assert_eq!(groups.leave(&mut context, term!(workers), &own).await, Ok(false));
        let other: NodePid = context.spawn(|mut context| async move {
            context.receive().await;
        });
        groups.join(&mut context, term!(others), &other).await.unwrap();
        context.send(&other, term!(end)).await.unwrap();
        until(async || groups.members(&mut context, term!(others)).await.unwrap().is_empty()).await;
    });
    site.beam.await_value("pg:get_members(workers)", "[]", PATIENCE);
    site.beam.await_value("pg:get_members(others)", "[]", PATIENCE);
    site.stop(&node);
}

fn scopes_are_apart_and_watched_from_there(carrier: Carrier) {
    let mut site = Site::of(carrier);
    let node = site.native("native");
    site.beam.eval("{ok, _} = pg:start(pg), {ok, _} = pg:start(shop), ok");
    let own = site.run(&node, async |mut context| {
        let (common, shop) = (Groups::start(&node, "pg"), Groups::start(&node, "shop"));
        let own = context.spawn(|mut context| async move {
            context.receive().await;
        });
        // As often as it joins.
        shop.join(&mut context, term!({till, 1}), &own).await.unwrap();
        shop.join(&mut context, term!({till, 1}), &own).await.unwrap();
        assert_eq!(
            shop.members(&mut context, term!({till, 1})).await,
            Ok(vec![own.clone(); 2])
        );
        assert_eq!(common.members(&mut context, term!({till, 1})).await, Ok(vec![]));
        own
    });
    site.connect(&node);
    site.beam
        .await_value("length(pg:get_members(shop, {till, 1}))", "2", PATIENCE);
    assert_eq!(site.beam.eval("pg:get_local_members(shop, {till, 1})"), "[]");
    assert_eq!(site.beam.eval("pg:get_members({till, 1})"), "[]");
    // Watched there, while it leaves here and ends.
    site.beam.eval(
        "register(watcher, spawn(fun() -> {R, #{{till, 1} := [P, P]}} = pg:monitor_scope(shop), \
         Next = fun() -> receive {R, What, Group, Pids} -> {What, Group, [X =:= P || X <- Pids]} end end, \
         Seen = [Next(), Next()], receive {get, From} -> From ! {seen, Seen} end end)), ok",
    );
    site.beam.await_value(
        "process_info(whereis(watcher), current_function) =:= {current_function, {prim_eval, 'receive', 2}}",
        "true",
        PATIENCE,
    );
    site.run(&node, async |mut context| {
        let shop = Groups::start(&node, "shop");
        assert_eq!(shop.leave(&mut context, term!({till, 1}), &own).await, Ok(true));
        context.monitor(&own);
        context.send(&own, term!(end)).await.unwrap();
        assert!(matches!(receive(&mut context).await, Message::Down { .. }));
    });
    let seen = "begin watcher ! {get, self()}, receive {seen, Seen} -> Seen after 5000 -> none end end";
    assert_eq!(
        site.beam.eval(seen),
        "[{leave,{till,1},[true]},{leave,{till,1},[true]}]"
    );
    site.stop(&node);
}
